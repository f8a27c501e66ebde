"""The correctness gate: every op against the float64 reference, on rows made to break it.

Speed is only worth stating for kernels that pass. The same rows run on a GPU before anything is
timed (``bench.gpu``) and in Triton's interpreter (``tests/kernels/gpu``). A check returns the
disagreements as sentences; none means it passed. Nothing here imports ``bench``.
"""
