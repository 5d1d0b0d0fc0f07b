"""Looks up people, their relatives and their households."""
