"""Transforms: named functions over whole columns that a mapping may use."""
