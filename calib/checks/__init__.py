"""Whether what is installed works, and whether other libraries say the same."""
