"""One door for every kind of model: what a drive needs of one, and who loads it."""
