from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from oncehub.errors import ConfigError
from oncehub.share.clients.clients import add_client, new_client_key, revoke_client
from oncehub.store.connection import Connection


def consumers(database: Connection) -> list[tuple[Any, ...]]:
    with database, database.cursor() as cursor:
        cursor.execute(
            "select client_id, agreement, public_key, revoked_at is null from share.client "
            "left join share.client_key using (client_id) where valid_until is null or valid_until > now()"
        )
        return cursor.fetchall()


def test_a_new_key_stays_with_its_agency_and_only_the_public_half_is_registered(
    tmp_path: Path, database: Connection
) -> None:
    path = tmp_path / "keys" / "agency.pem"
    public = new_client_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert OKPKey.import_key(path.read_text()).as_dict(private=False)["x"] == public["x"]
    assert "d" not in public
    add_client(database, "agency", "portal-residence", public)
    assert consumers(database) == [("agency", "portal-residence", public, True)]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "agency.pem"
    new_client_key(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="holds a key already"):
        new_client_key(path)
    assert path.read_bytes() == before


def test_another_key_takes_the_place_of_the_first(tmp_path: Path, database: Connection) -> None:
    add_client(database, "agency", "portal-residence", new_client_key(tmp_path / "1"))
    second = new_client_key(tmp_path / "2")
    add_client(database, "agency", "tax-registration", second)
    assert consumers(database) == [("agency", "tax-registration", second, True)]


def test_a_revoked_client_may_be_admitted_again(tmp_path: Path, database: Connection) -> None:
    public = new_client_key(tmp_path / "1")
    add_client(database, "agency", "portal-residence", public)
    revoke_client(database, "agency")
    assert consumers(database)[0][3] is False
    with pytest.raises(ConfigError, match="no client 'agency' is admitted"):
        revoke_client(database, "agency")
    add_client(database, "agency", "portal-residence", public)
    assert consumers(database)[0][3] is True


@pytest.mark.parametrize(
    "jwk",
    [
        OKPKey.generate_key("Ed25519").as_dict(private=True),
        OKPKey.generate_key("X25519").as_dict(private=False),
        OKPKey.generate_key("Ed448").as_dict(private=False),
        ECKey.generate_key("P-384").as_dict(private=False),
        RSAKey.generate_key(2048).as_dict(private=False),
        OctKey.generate_key(256).as_dict(private=True),
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": "!!"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {},
        [],
    ],
    ids=lambda jwk: f"{jwk.get('kty')}-{jwk.get('crv')}-{len(jwk)}" if isinstance(jwk, dict) else "list",
)
def test_other_keys_and_private_ones_are_refused(database: Connection, jwk: Any) -> None:
    with pytest.raises(ConfigError):
        add_client(database, "agency", "portal-residence", jwk)
    assert consumers(database) == []


@pytest.mark.parametrize("client_id", ["", " x", "a b", "x" * 65, "x\n", "ä"])
def test_an_unfit_client_id_is_refused(database: Connection, tmp_path: Path, client_id: str) -> None:
    with pytest.raises(ConfigError, match="a client id is"):
        add_client(database, client_id, "portal-residence", new_client_key(tmp_path / "1"))
