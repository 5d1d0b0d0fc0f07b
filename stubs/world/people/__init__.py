"""The people of the simulated world: names, households, numbers and places."""
