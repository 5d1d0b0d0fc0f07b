"""Keeps rejected records encrypted, and replays them after a fix."""
