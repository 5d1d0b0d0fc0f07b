"""Compiles mappings from source fields to canonical attributes."""
