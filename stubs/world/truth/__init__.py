"""The ground truth: which records are about whom, and which are wrong."""
