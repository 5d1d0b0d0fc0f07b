"""The simulated population, what the five systems hold of it, and the truth about both."""

from stubs.world.truth.discrepancies import Truth
from stubs.world.world import World

__all__ = ["Truth", "World"]
