"""Chooses the golden value of each attribute, explains it and keeps its history."""
