"""Kills the hub at random, and compares every table with a hub that was never killed: `make torture`."""
