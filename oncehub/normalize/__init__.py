"""Turns received records into canonical frames: contract check, transforms and mapping."""
