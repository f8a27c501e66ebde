"""What a training loop takes: the loss, and what is counted while it runs."""
