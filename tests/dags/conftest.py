"""Airflow as a library: it must neither write to a home nor take over the logging of other tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from types import ModuleType

import pytest

from oncehub.settings import Settings

# Before anything here imports Airflow.
os.environ.setdefault("_AIRFLOW__AS_LIBRARY", "1")


@pytest.fixture
def dag_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a DAG file whose tasks work on the test's own database and home."""
    assert settings.database_url is not None
    monkeypatch.setenv("ONCEHUB_ROOT", str(settings.root))
    monkeypatch.setenv("ONCEHUB_HOME", str(settings.home))
    monkeypatch.setenv("ONCEHUB_DATABASE_URL", settings.database_url)

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"dag_{name}", settings.root / "dags" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
