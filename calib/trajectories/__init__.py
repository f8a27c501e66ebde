"""Calibration over the checkpoints of a training run: when it changes, and where to stop."""
