"""Where the hub finds its files, its database and its keys: environment variables, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from oncehub.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """The hub's surroundings.

    Attributes:
        root: folder that holds `connectors/`, `mappings/` and `schemas/` (`ONCEHUB_ROOT`).
        home: writable folder for the embedded database and generated keys (`ONCEHUB_HOME`).
        database_url: libpq URL (`ONCEHUB_DATABASE_URL`); None means the embedded server under `home`.
        api_database_url: the API's own login to it (`ONCEHUB_API_DATABASE_URL`); None means `database_url`
            as the role `oncehub_api`, without password.
    """

    root: Path
    home: Path
    database_url: str | None
    api_database_url: str | None = None

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


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: when the root holds no `connectors/`, `mappings/` or `schemas/`.
    """
    root = Path(os.environ.get("ONCEHUB_ROOT") or Path(__file__).resolve().parents[1])
    home = Path(os.environ.get("ONCEHUB_HOME") or root / "var")
    missing = [name for name in ("connectors", "mappings", "schemas") if not (root / name).is_dir()]
    if missing:
        raise ConfigError(
            f"{root} holds no {', '.join(missing)} folder; set ONCEHUB_ROOT to the folder that does"
        )
    return Settings(
        root=root,
        home=home,
        database_url=os.environ.get("ONCEHUB_DATABASE_URL") or None,
        api_database_url=os.environ.get("ONCEHUB_API_DATABASE_URL") or None,
    )
