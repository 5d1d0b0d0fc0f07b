"""Received records to canonical frames: contract check, transforms and mapping."""

from oncehub.normalize.batch import Batch, Rejected
from oncehub.normalize.contract.drift import Drift
from oncehub.normalize.normalizer import Normalizer, load_normalizer

__all__ = ["Batch", "Drift", "Normalizer", "Rejected", "load_normalizer"]
