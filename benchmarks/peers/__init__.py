"""Peers and floors that the benchmarks compare the hub with."""
