"""Where a request came from: a proxy's word is taken only where the proxy is declared."""

from __future__ import annotations

from typing import Any

import pytest

from oncehub.api.http.source import source_address, trusted_proxies
from oncehub.errors import ConfigError


def came(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"type": "http", "client": peer and (peer, 4711), "headers": headers}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (came("192.0.2.1"), "192.0.2.1"),
        (came("192.0.2.1", "198.51.100.7"), "192.0.2.1"),
        (came("10.0.0.7"), "10.0.0.7"),
        (came("10.0.0.7", "198.51.100.7"), "198.51.100.7"),
        (came("10.0.0.7", "127.0.0.1, 198.51.100.7"), "198.51.100.7"),
        (came("10.0.0.7", "203.0.113.9", "198.51.100.7, 10.1.2.3"), "198.51.100.7"),
        (came("10.0.0.7", "Nguyễn Thị An"), "10.0.0.7"),
        (came("10.0.0.7", "Nguyễn Thị An, 10.1.2.3"), "10.1.2.3"),
        (came("::ffff:10.0.0.7", "2001:db8::1"), "2001:db8::1"),
        (came("testclient"), None),
        (came(None), None),
    ],
)
def test_the_source_is_the_last_that_is_no_trusted_proxy(
    monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any], expected: str | None
) -> None:
    monkeypatch.setenv("ONCEHUB_TRUSTED_PROXIES", "10.0.0.7, 10.1.0.0/16")
    assert source_address(scope, trusted_proxies()) == expected


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.7/8", "*"])
def test_a_proxy_that_is_no_address_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ONCEHUB_TRUSTED_PROXIES", text)
    with pytest.raises(ConfigError, match=r"ONCEHUB_TRUSTED_PROXIES: .*; list addresses or networks"):
        trusted_proxies()
