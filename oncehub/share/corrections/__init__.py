"""Correction notices to the sources, and their progress."""
