"""The purposes that an agreement may have: those of the W3C Data Privacy Vocabulary (DPV)."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from oncehub.errors import ConfigError

PREFIX = "dpv:"


@cache
def read_purposes(mappings: Path) -> tuple[str, ...]:
    """Read the terms of `mappings/codes/dpv_purposes.csv`, each with the prefix `dpv:`.

    Raises:
        ConfigError: when the file cannot be read or has no terms.
    """
    path = mappings / "codes" / "dpv_purposes.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            terms = [row["term"] for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as the list of purposes: {type(error).__name__}") from None
    return tuple(f"{PREFIX}{term}" for term in terms)
