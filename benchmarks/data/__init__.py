"""Data that the benchmarks measure with."""
