"""Data subjects' requests: usage, corrections and deadlines."""
