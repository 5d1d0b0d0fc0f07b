"""The five sources' own contracts, mappings and samples, and a copy of them that a test may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from oncehub.model.connector import Connector
from oncehub.model.settings import Settings
from oncehub.normalize import Normalizer, load_normalizer

ROOT = Path(__file__).resolve().parents[2]

STREAMS = [
    ("population", "citizens"),
    ("portal", "accounts"),
    ("portal", "dossiers"),
    ("tax", "registrations"),
    ("customs", "declarants"),
    ("banking", "accounts"),
]

Record = dict[str, Any]


def read_samples(source: str, stream: str) -> list[Record]:
    samples: list[Record] = orjson.loads((ROOT / f"connectors/{source}/samples/{stream}.json").read_bytes())
    return samples


def load(root: Path, source: str, stream: str) -> Normalizer:
    connector = Connector.load(root / f"connectors/{source}/connector.yaml")
    return load_normalizer(Settings(root, root / "var", None), connector, stream)


@pytest.fixture(scope="session")
def normalizer() -> Callable[[str, str], Normalizer]:
    return lambda source, stream: load(ROOT, source, stream)


@pytest.fixture
def spoilt_root(tmp_path: Path) -> Path:
    """A copy of the configuration to change."""
    for folder in ("connectors", "mappings", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path
