"""A copy of the configuration that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .configuration import ROOT


@pytest.fixture
def spoilt_root(tmp_path: Path) -> Path:
    """A copy of connectors, mappings and schemas to change."""
    for folder in ("connectors", "mappings", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path
