"""Every configuration document of a project root, and the JSON Schemas that editors check them with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import orjson

from oncehub.config.agreements import Agreement
from oncehub.config.connector import Connector
from oncehub.config.documents import Document
from oncehub.config.identity import IdentityProvider
from oncehub.config.mapping import CodeList, StreamMapping
from oncehub.config.operation import AlarmRules, RetentionRules
from oncehub.config.privacy import DeadlineRules, RevealRules
from oncehub.config.procedures import Procedure
from oncehub.config.rules import CaseRules, ComparisonRules, MatchingRules, SurvivorshipRules
from oncehub.errors import ConfigError
from oncehub.files import write_whole
from oncehub.settings import Settings

AnyDocument = TypeVar("AnyDocument", bound=Document)

DOCUMENTS: dict[str, tuple[type[Document], str]] = {
    "connector": (Connector, "connectors/*/connector.yaml"),
    "source_mapping": (StreamMapping, "mappings/sources/*/*.yaml"),
    "code_list": (CodeList, "mappings/codes/*.yaml"),
    "matching": (MatchingRules, "mappings/rules/matching.yaml"),
    "comparison": (ComparisonRules, "mappings/rules/comparison.yaml"),
    "survivorship": (SurvivorshipRules, "mappings/rules/survivorship.yaml"),
    "cases": (CaseRules, "mappings/rules/cases.yaml"),
    "reveals": (RevealRules, "mappings/rules/reveals.yaml"),
    "deadlines": (DeadlineRules, "mappings/rules/deadlines.yaml"),
    "retention": (RetentionRules, "mappings/rules/retention.yaml"),
    "alarms": (AlarmRules, "mappings/rules/alarms.yaml"),
    "procedure": (Procedure, "mappings/procedures/*.yaml"),
    "agreement": (Agreement, "mappings/agreements/*.yaml"),
    "identity_provider": (IdentityProvider, "mappings/identity_providers/*.yaml"),
}
"""Kinds of configuration files by the name of their exported schema: the model, and which files it reads."""


def load_connectors(settings: Settings) -> dict[str, Connector]:
    """Read every `connectors/<source>/connector.yaml`, by source.

    Raises:
        ConfigError: when one is wrong, or its source is not its folder's name.
    """
    return {path.parent.name: _named(path) for path in sorted(settings.connectors.glob("*/connector.yaml"))}


def load_connector(settings: Settings, source: str) -> Connector:
    """Read one connector.

    Raises:
        ConfigError: when there is none of that name, or it is wrong.
    """
    path = settings.connectors / source / "connector.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.parent.name for file in settings.connectors.glob("*/connector.yaml")))
        raise ConfigError(f"no connector {source!r} in {settings.connectors}; there are: {known or 'none'}")
    return _named(path)


def load_folder(folder: Path, model: type[AnyDocument]) -> list[AnyDocument]:
    """Read every YAML file of a folder as `model`, sorted by file name.

    Raises:
        ConfigError: when one is wrong.
    """
    return [model.load(path) for path in sorted(folder.glob("*.yaml"))]


def load_rules(settings: Settings, name: str, model: type[AnyDocument]) -> AnyDocument:
    """Read `mappings/rules/<name>.yaml`.

    Raises:
        ConfigError: when it is absent or wrong.
    """
    return model.load(settings.mappings / "rules" / f"{name}.yaml")


def config_files(settings: Settings) -> Iterator[tuple[Path, type[Document]]]:
    """Yield every configuration file of the root with the model that reads it."""
    folders = {"connectors": settings.connectors, "mappings": settings.mappings}
    for model, place in DOCUMENTS.values():
        folder, _, pattern = place.partition("/")
        for path in sorted(folders[folder].glob(pattern)):
            yield path, model


def config_schemas() -> dict[str, bytes]:
    """Return the JSON Schema of every kind of configuration file: file name -> content."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {
        f"{name}.json": orjson.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()},
            option=options,
        )
        for name, (model, _) in DOCUMENTS.items()
    }


def write_config_schemas(settings: Settings) -> list[Path]:
    """Write `schemas/config/*.json` where they are out of date, and return the files written."""
    stale = stale_config_schemas(settings)
    for path in stale:
        write_whole(path, config_schemas()[path.name])
    return stale


def stale_config_schemas(settings: Settings) -> list[Path]:
    """Return the files of `schemas/config/` that differ from what the models say."""
    folder = settings.schemas / "config"
    wanted = config_schemas()
    return [
        folder / name
        for name, content in wanted.items()
        if not (folder / name).exists() or (folder / name).read_bytes() != content
    ]


def _named(path: Path) -> Connector:
    connector = Connector.load(path)
    if connector.source != path.parent.name:
        raise ConfigError(
            f"{connector.where('source')}: source: {connector.source!r} differs from the folder's name; "
            f"write source: {path.parent.name}"
        )
    return connector
