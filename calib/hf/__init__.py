"""Hugging Face models behind one small face; the only place that imports transformers."""
