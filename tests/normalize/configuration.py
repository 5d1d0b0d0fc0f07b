"""The five sources' own contracts, mappings and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from oncehub.config.connector import Connector
from oncehub.normalize.normalizer import Normalizer, load_normalizer
from oncehub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

STREAMS = [
    ("population", "citizens"),
    ("portal", "accounts"),
    ("portal", "dossiers"),
    ("portal", "submissions"),
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
