"""A hub full of the simulated population, a model trained on it, and an empty hub where that model judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.data.filling import fill
from oncehub.reconcile.matching.models import activate, exported, imported, keep_model
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.run import reconcile
from stubs.world.world import World

PEOPLE = 1000


@pytest.fixture(scope="session")
def filled(new_hub: Callable[[str], Any]) -> Any:
    """A hub of 1,000 people with all their records, reconciled without a model."""
    made = new_hub("populated")
    fill(made.settings, World.generate(PEOPLE, seed=1))
    reconcile(made.settings)
    return made


@pytest.fixture(scope="session")
def trained(filled: Any) -> int:
    """The number of a model trained on the filled hub."""
    return train(filled.settings, by="tester", reason="a test", database=filled.database)


@pytest.fixture(scope="session")
def own_matcher(new_hub: Callable[[str], Any], filled: Any, trained: int) -> Any:
    """A hub without records, where that model is active."""
    made = new_hub("matching")
    model = imported(exported(filled.database, trained), "model.json")
    with made.database:
        activate(made.database, keep_model(made.database, model, "tester", "carried"), "population")
    return made


@pytest.fixture
def matcher(own_matcher: Any) -> Any:
    """The hub where a model is active, emptied of records."""
    own_matcher.forget()
    return own_matcher
