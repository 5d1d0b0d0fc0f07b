"""The random credentials of one start, and the connection objects that carry them to the hub."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stubs.servers import population, portal
from stubs.servers.protocol.certificates import TlsFiles

_secret = partial(secrets.token_urlsafe, 24)


@dataclass(frozen=True)
class Credentials:
    """Ids and secrets of the hub at each system, and the control's token; different at every start."""

    population: tuple[str, str] = field(default_factory=lambda: (f"hub-{secrets.token_hex(4)}", _secret()))
    portal: tuple[str, str] = field(default_factory=lambda: (f"hub-{secrets.token_hex(4)}", _secret()))
    tax: tuple[str, str] = field(default_factory=lambda: (f"key-{secrets.token_hex(4)}", _secret()))
    customs: str = field(default_factory=_secret)
    control: str = field(default_factory=_secret)


def connections(
    urls: Mapping[str, str], credentials: Credentials, tls: TlsFiles, jws_public_key: Path
) -> dict[str, dict[str, object]]:
    """One Airflow-style connection object a source; `urls` are the base URLs by system.

    `jws_public_key` is the PEM file by which the banks' answers are verified.
    """
    return {
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
                "ca": str(tls.authority),
                "jws_public_key": str(jws_public_key),
            },
        },
    }


def _login(host: str, login: str, password: str) -> dict[str, object]:
    return {"conn_type": "http", "host": host, "login": login, "password": password}
