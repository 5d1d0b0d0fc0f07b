"""The vocabulary of mappings: the transforms and code lists that they may name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oncehub.normalize.mapping.code_lists import CodeLists
from oncehub.normalize.transforms.registry import Transforms


@dataclass(frozen=True)
class Vocabulary:
    """Transforms and code lists by name."""

    transforms: Transforms
    codes: CodeLists


def load_vocabulary(mappings: Path) -> Vocabulary:
    """Load the vocabulary of a folder of mappings; code lists are read when they are first needed.

    Raises:
        ConfigError: when the folder's own `transforms.py` is wrong.
    """
    return Vocabulary(Transforms(mappings), CodeLists(mappings / "codes"))
