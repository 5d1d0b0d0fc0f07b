"""The settings of the hub, from environment variables: its files, its database and its keys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from oncehub.errors import ConfigError

DEFAULT_AUDIT_ORIGIN: Final = "oncehub.local/access-log"


@dataclass(frozen=True)
class Settings:
    """Where the hub finds its files and its database.

    Attributes:
        root: folder with `connectors/`, `mappings/` and `schemas/` (`ONCEHUB_ROOT`).
        home: writable folder for the embedded database and generated keys (`ONCEHUB_HOME`).
        database_url: libpq URL (`ONCEHUB_DATABASE_URL`); None for the embedded server in `home`.
        api_database_url: libpq URL of the API's login (`ONCEHUB_API_DATABASE_URL`); None for `database_url`
            with the role `oncehub_api` and no password.
        signing_database_url: libpq URL of the login that signs the access log
            (`ONCEHUB_SIGNING_DATABASE_URL`); None for `database_url`.
        audit_origin: name of the access log in its checkpoints (`ONCEHUB_AUDIT_ORIGIN`), for good.
        identity_folder: folder of identity providers (`ONCEHUB_IDENTITY_PROVIDERS`); None for
            `mappings/identity_providers` of the root.
        embedded: whether a server of the hub's own may be started (`ONCEHUB_EMBEDDED`, `on` unless `off`).
        started_by: the DAG run of Airflow that this process works for, `<dag>/<run>`; None for a command.
    """

    root: Path
    home: Path
    database_url: str | None
    api_database_url: str | None = None
    signing_database_url: str | None = None
    embedded: bool = True
    identity_folder: Path | None = None
    started_by: str | None = None
    audit_origin: str = DEFAULT_AUDIT_ORIGIN

    @property
    def identity_providers(self) -> Path:
        """Folder of identity providers and their keys."""
        return self.identity_folder or self.mappings / "identity_providers"

    @property
    def connectors(self) -> Path:
        """Folder of `connectors/<source>/connector.yaml`."""
        return self.root / "connectors"

    @property
    def mappings(self) -> Path:
        """Folder of mappings, rules, procedures, agreements and code lists."""
        return self.root / "mappings"

    @property
    def schemas(self) -> Path:
        """Folder of canonical, source and config schemas."""
        return self.root / "schemas"


def secret(name: str) -> str | None:
    """Return the setting `name`, or what is in the file that `<name>_FILE` names; None without either.

    Raises:
        ConfigError: when both are given, or the file cannot be read.
    """
    given, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if not path:
        return given or None
    if given:
        raise ConfigError(f"{name} and {name}_FILE are both set; keep one of them")
    try:
        return Path(path).read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{path}, which {name}_FILE names, cannot be read: {reason}") from None


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: when the root has no `connectors/`, `mappings/` or `schemas/`, or a setting is wrong.
    """
    root = Path(os.environ.get("ONCEHUB_ROOT") or Path(__file__).resolve().parents[1])
    home = Path(os.environ.get("ONCEHUB_HOME") or root / "var")
    missing = [name for name in ("connectors", "mappings", "schemas") if not (root / name).is_dir()]
    if missing:
        raise ConfigError(
            f"{root} has no folder {', '.join(missing)}; set ONCEHUB_ROOT to the folder that has them"
        )
    embedded = os.environ.get("ONCEHUB_EMBEDDED") or "on"
    if embedded not in ("on", "off"):
        raise ConfigError("ONCEHUB_EMBEDDED must be on or off: whether a database server may be started")
    origin = os.environ.get("ONCEHUB_AUDIT_ORIGIN") or DEFAULT_AUDIT_ORIGIN
    if not origin.isprintable() or any(sign in "+ " for sign in origin):
        raise ConfigError(
            "ONCEHUB_AUDIT_ORIGIN must name the access log like hub.example.vn/access-log, without blanks "
            "and plus signs"
        )
    return Settings(
        root=root,
        home=home,
        database_url=secret("ONCEHUB_DATABASE_URL"),
        api_database_url=secret("ONCEHUB_API_DATABASE_URL"),
        signing_database_url=secret("ONCEHUB_SIGNING_DATABASE_URL"),
        embedded=embedded == "on",
        identity_folder=Path(identity)
        if (identity := os.environ.get("ONCEHUB_IDENTITY_PROVIDERS"))
        else None,
        started_by=_dag_run(),
        audit_origin=origin,
    )


def _dag_run() -> str | None:
    """Name the DAG run by what Airflow sets in the environment of each task."""
    dag, run = (os.environ.get(f"AIRFLOW_CTX_{name}") for name in ("DAG_ID", "DAG_RUN_ID"))
    return f"{dag}/{run}" if dag and run else None
