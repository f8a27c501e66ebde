"""The ops as Triton kernels. The only folder that imports triton; ``ops`` loads it when needed."""
