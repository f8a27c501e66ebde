"""Many answers behind one prompt: prefill once, decode together, draw by address."""
