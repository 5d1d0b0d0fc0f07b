"""Prefills forms and takes submissions."""
