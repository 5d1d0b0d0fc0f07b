"""Compares source values with golden values, and opens and closes discrepancies."""
