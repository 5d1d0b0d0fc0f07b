"""Errors planted in the records of the simulated systems."""
