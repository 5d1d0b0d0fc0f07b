"""Received records to canonical frames: contract check, transforms and mapping."""

from oncehub.normalize.normalizer import Batch, Normalizer, Rejected, load_normalizer

__all__ = ["Batch", "Normalizer", "Rejected", "load_normalizer"]
