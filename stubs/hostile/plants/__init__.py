"""Everything that the source can do wrong, each under a name.

A plant is a class whose docstring says what it does. What is planted sees every answer on its way, stage by
stage, and changes it at one of them.
"""

# Importing a module enters its plants in KNOWN.
from stubs.hostile.plants import changes, content, files, paging, requests
from stubs.hostile.plants.registry import KNOWN, Plant, Turn, UnknownPlantError, make_plant

__all__ = [
    "KNOWN",
    "Plant",
    "Turn",
    "UnknownPlantError",
    "changes",
    "content",
    "files",
    "make_plant",
    "paging",
    "requests",
]
