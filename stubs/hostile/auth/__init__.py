"""Credentials that the hostile source checks."""
