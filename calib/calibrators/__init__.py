"""What makes confidences right, or says which of them to trust."""
