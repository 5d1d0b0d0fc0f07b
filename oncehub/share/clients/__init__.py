"""API clients of agencies, and their keys."""
