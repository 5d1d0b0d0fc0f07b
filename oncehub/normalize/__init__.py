"""Turns received records into canonical frames: contract check, transforms and mapping."""

from oncehub.normalize.batch import Batch, Rejected
from oncehub.normalize.contract.differences import Drift
from oncehub.normalize.normalizer import Normalizer, load_normalizer

__all__ = ["Batch", "Drift", "Normalizer", "Rejected", "load_normalizer"]
