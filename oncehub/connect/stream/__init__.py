"""Reads a stream: windows of change, high-water marks, child streams and prefetch."""
