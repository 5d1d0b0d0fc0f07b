"""Measures how many items of each form the hub can fill."""
