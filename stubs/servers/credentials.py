"""The random credentials of the systems, and the connection objects that carry them to the hub."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from stubs.servers import population, portal
from stubs.servers.protocol.certificates import TlsFiles, write_private

_secret = partial(secrets.token_urlsafe, 24)


@dataclass(frozen=True)
class Credentials:
    """Ids and secrets of the hub at each system, and the control's token; different each time."""

    population: tuple[str, str] = field(default_factory=lambda: (f"hub-{secrets.token_hex(4)}", _secret()))
    portal: tuple[str, str] = field(default_factory=lambda: (f"hub-{secrets.token_hex(4)}", _secret()))
    tax: tuple[str, str] = field(default_factory=lambda: (f"key-{secrets.token_hex(4)}", _secret()))
    customs: str = field(default_factory=_secret)
    control: str = field(default_factory=_secret)

    @classmethod
    def kept_in(cls, file: Path) -> Self:
        """Those of an earlier start that the file holds; where there is none, new ones, written to it."""
        if file.exists():
            held: dict[str, Any] = json.loads(file.read_bytes())
            pairs = {name: tuple(pair) for name, pair in held.items() if isinstance(pair, list)}
            return cls(**{**held, **pairs})
        made = cls()
        write_private(file, json.dumps(asdict(made)).encode())
        return made


def connections(
    urls: Mapping[str, str], credentials: Credentials, tls: TlsFiles, jws_public_key: Path
) -> dict[str, dict[str, Any]]:
    """One Airflow-style connection object a source; `urls` are the base URLs by system.

    `jws_public_key` is the PEM file by which the banks' answers are verified.
    """
    found: dict[str, dict[str, Any]] = {
        "population": {
            **_login(urls["population"], *credentials.population),
            "extra": {"token_url": urls["population"] + population.TOKEN_PATH},
        },
        "portal": {
            **_login(urls["portal"], *credentials.portal),
            "extra": {"token_url": urls["portal"] + portal.TOKEN_PATH, "scope": portal.SCOPE},
        },
        "tax": {**_login(urls["tax"], *credentials.tax), "extra": {}},
        "customs": {
            "conn_type": "http",
            "host": urls["customs"],
            "password": credentials.customs,
            "extra": {},
        },
        "banking": {
            "conn_type": "http",
            "host": urls["banking"],
            "extra": {
                "client_certificate": str(tls.client_certificate),
                "client_key": str(tls.client_key),
                "jws_public_key": str(jws_public_key),
            },
        },
    }
    for connection in found.values():
        if connection["host"].startswith("https:"):
            connection["extra"]["ca"] = str(tls.authority)
    return found


def _login(host: str, login: str, password: str) -> dict[str, Any]:
    return {"conn_type": "http", "host": host, "login": login, "password": password}
