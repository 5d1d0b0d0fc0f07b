"""Runs the API: worker processes and the signing of the log."""
