"""The address that a request came from; a proxy's word is taken only where the proxy is declared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

from oncehub.errors import ConfigError

Networks = Sequence[IPv4Network | IPv6Network]


def trusted_proxies() -> Networks:
    """Return the addresses and networks that `ONCEHUB_TRUSTED_PROXIES` lists, separated by commas.

    Raises:
        ConfigError: when one is neither.
    """
    listed = filter(None, map(str.strip, os.environ.get("ONCEHUB_TRUSTED_PROXIES", "").split(",")))
    try:
        return tuple(map(ip_network, listed))
    except ValueError as error:
        raise ConfigError(
            f"ONCEHUB_TRUSTED_PROXIES: {error}; list addresses or networks as 10.0.0.7,10.1.0.0/16"
        ) from None


def source_address(scope: Scope, trusted: Networks) -> str | None:
    """Return the address that sent a request; None where the server knows none.

    A proxy appends to `X-Forwarded-For` who called it. Read from the end, the first address that is no
    trusted proxy's is the source: what stands before it, the caller may have written itself.
    """
    client = scope.get("client")
    address = _address(client[0]) if client else None
    if address is None:
        return None
    if not _within(address, trusted):
        return str(address)
    forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    for text in reversed(forwarded.split(",")):
        named = _address(text.strip())
        if named is None:
            break
        address = named
        if not _within(named, trusted):
            break
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _within(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(address in network for network in networks)
