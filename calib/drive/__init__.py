"""The two stories, a page each: options scored, answers sampled."""
