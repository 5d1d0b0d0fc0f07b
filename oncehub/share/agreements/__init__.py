"""Agreements and procedures: what an agency may see, for which purpose, and what a form asks."""
