"""Shares data with agencies: agreements decide, look-ups and forms answer, feeds report changes."""
