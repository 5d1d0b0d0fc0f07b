"""What the mappings of one folder may name: transforms and code lists."""

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
    """Make ready what the mappings of a folder may name; code lists are read when first asked for.

    Raises:
        ConfigError: when the folder's own `transforms.py` is wrong.
    """
    return Vocabulary(Transforms(mappings), CodeLists(mappings / "codes"))
