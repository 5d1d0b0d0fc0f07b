"""`oncehub check` and `oncehub schemas`: the configuration files, and their JSON Schemas for editors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import typer

from oncehub.cli.options import Check, Json
from oncehub.cli.output import write_json
from oncehub.clock import VIETNAM
from oncehub.config.catalogue import config_files, load_connectors, stale_config_schemas, write_config_schemas
from oncehub.config.entities import load_entities
from oncehub.connect.checks import check_connector
from oncehub.connect.plugins import load_plugin
from oncehub.errors import ConfigError
from oncehub.normalize.stream_check import check_stream
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import check_proofs, load_agreements
from oncehub.share.identity.providers import lacking_keys, load_providers
from oncehub.share.people.labels import load_labels


def check(as_json: Json = False) -> None:
    """Check every configuration file, and that everything it names exists."""
    settings = load_settings()
    faults = _faults(settings)
    today = datetime.now(VIETNAM).date()
    notes = [] if faults else list(lacking_keys(load_providers(settings), today))
    files = sum(1 for _ in config_files(settings))
    if as_json:
        write_json({"files": files, "faults": faults, "notes": notes})
    elif not faults:
        sys.stdout.write(f"{files} files checked, no faults\n")
        sys.stderr.write("".join(f"note: {each}\n" for each in notes))
    else:
        sys.stderr.write("\n".join(faults) + "\n")
    if faults:
        raise typer.Exit(2)


def schemas(
    check_only: Check = False,
) -> None:
    """Write the JSON Schemas of the configuration files, for editors."""
    settings = load_settings()
    stale = stale_config_schemas(settings) if check_only else write_config_schemas(settings)
    for path in stale:
        sys.stdout.write(f"{'out of date' if check_only else 'wrote'}: {path}\n")
    if check_only and stale:
        sys.stderr.write("oncehub: run: oncehub schemas\n")
        raise typer.Exit(2)


def _faults(settings: Settings) -> list[str]:
    """Return every fault as one line; faults between documents only once each document is valid."""
    faults = [fault for path, model in config_files(settings) for fault in _raised(model.load, path)]
    if faults:
        return faults
    faults += _raised(load_entities, settings.schemas)
    for connector in load_connectors(settings).values():
        faults += _raised(check_connector, connector)
        faults += _raised(load_plugin, connector)
        for stream in connector.landed:
            faults += _raised(check_stream, settings, connector, stream)
    faults += _raised(load_rulebook, settings)
    faults += _raised(load_agreements, settings)
    faults += _raised(check_proofs, settings)
    faults += _raised(load_labels, settings)
    return faults


def _raised(load: Callable[..., Any], *arguments: Any) -> list[str]:
    try:
        load(*arguments)
    except ConfigError as error:
        return str(error).splitlines()
    return []
