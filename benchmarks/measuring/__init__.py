"""Clocks, scores, load and tables of the benchmarks."""
