"""Rotation of the ring and replacement of the data key, over the payloads of rejected records."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oncehub.encryption import rotation
from oncehub.encryption.data_keys import ensure_data_key
from oncehub.encryption.key_ring import derived, load_key_ring
from oncehub.encryption.payloads import rejected_place
from oncehub.encryption.rotation import keys_in_use, reencrypt, retire, rotate
from oncehub.errors import ConfigError, KeyMissing, RunBusy
from oncehub.intake.quarantine.rejected_records import Quarantine
from oncehub.intake.quarantine.replay import list_rejected, show_rejected
from oncehub.normalize.batch import Rejected
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect, locked

KEPT = 5


@dataclass
class Kept:
    """A hub with rejected records of one stream."""

    settings: Settings
    database: Connection
    run_id: int

    def keep(self, *payloads: bytes) -> None:
        bad = [Rejected("k", "contract", "r", "p", payload) for payload in payloads]
        with self.database:
            Quarantine(self.settings, "tax", "registrations").keep(self.database, self.run_id, bad)

    def shown(self) -> list[int]:
        listed = list_rejected(self.database)
        return sorted(
            show_rejected(self.settings, self.database, each.rejected_id).payload for each in listed
        )

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def used(self) -> dict[str, int]:
        return {
            use.key: sum(use.values.values())
            for use in keys_in_use(self.settings, self.database)
            if use.kind == "data"
        }


@pytest.fixture
def kept(settings: Settings, database: Connection) -> Kept:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into intake.run (source, stream, mode, state) "
            "values ('tax', 'registrations', 'full', 'succeeded') returning run_id"
        )
        (run_id,) = cursor.fetchone() or (0,)
    made = Kept(settings, database, run_id)
    made.keep(*(b"%d" % number for number in range(KEPT)))
    return made


def test_a_rotation_wraps_the_data_key_and_leaves_every_value(kept: Kept) -> None:
    payloads = kept.rows("select * from intake.rejected")
    former = load_key_ring(kept.settings.home).primary
    assert rotate(kept.settings, database=kept.database) == 1
    assert rotate(kept.settings, resume=True, database=kept.database) == 0
    retire(kept.settings, former, kept.database)
    assert kept.rows("select * from intake.rejected") == payloads
    assert kept.shown() == list(range(KEPT))


def test_everything_is_reencrypted_and_says_what_it_said(kept: Kept) -> None:
    [former] = kept.used()
    assert reencrypt(kept.settings, kept.database) == {"intake.rejected": KEPT}
    [(primary, values)] = kept.used().items()
    assert (primary != former, values) == (True, KEPT)
    assert kept.shown() == list(range(KEPT))


def test_a_killed_reencryption_is_readable_at_once_and_resumed_where_it_stopped(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypt(kept.settings, kept.database, listener=killed)
    assert sorted(kept.used().values()) == [2, 3]
    assert kept.shown() == list(range(KEPT))
    assert reencrypt(kept.settings, kept.database) == {"intake.rejected": 3}
    assert list(kept.used().values()) == [KEPT]
    assert kept.shown() == list(range(KEPT))


def test_payloads_that_an_earlier_version_encrypted_are_shown_and_reencrypted(kept: Kept) -> None:
    """As it wrote them: AES-256-GCM under a key derived from the ring's, and no data key."""
    ring = load_key_ring(kept.settings.home)
    outer = ring.keys[ring.primary]
    for number in range(KEPT):
        payload = b"%d" % number
        digest = hmac.digest(derived(outer, "digest"), payload, "sha256")
        nonce, place = secrets.token_bytes(12), orjson.dumps(rejected_place("tax", "registrations", digest))
        padded = payload + b"\x80" + bytes(14)
        encrypted = nonce + AESGCM(derived(outer, "encryption")).encrypt(nonce, padded, place)
        kept.rows(
            "update intake.rejected set key_id = %s, digest = %s, payload = %s where rejected_id = %s",
            *(ring.primary, digest, encrypted, number + 1),
        )
    kept.rows("update hub.data_key set id = %s, former = true, wrapped = null", ring.primary)
    with kept.database, kept.database.cursor() as cursor:
        ensure_data_key(cursor, ring)
    assert kept.shown() == list(range(KEPT))
    with pytest.raises(RunBusy, match="after an upgrade that asks for it, run: oncehub keys reencrypt"):
        kept.keep(b"9")
    rotate(kept.settings, database=kept.database)
    with pytest.raises(ConfigError, match="first run: oncehub keys reencrypt"):
        retire(kept.settings, ring.primary, kept.database)
    assert reencrypt(kept.settings, kept.database) == {"intake.rejected": KEPT}
    retire(kept.settings, ring.primary, kept.database)
    assert kept.shown() == list(range(KEPT))


def test_a_key_is_retired_only_once_no_data_key_needs_it(kept: Kept) -> None:
    former = load_key_ring(kept.settings.home).primary
    rotation.add_primary(kept.settings.home)
    kept_back = load_key_ring(kept.settings.home)
    with pytest.raises(ConfigError, match=rf"still needs the key {former}; first run: oncehub keys rotate"):
        retire(kept.settings, former, kept.database)
    assert load_key_ring(kept.settings.home) == kept_back
    rotate(kept.settings, resume=True, database=kept.database)
    retire(kept.settings, former, kept.database)
    with pytest.raises(KeyMissing, match=f"no key {former} to retire"):
        retire(kept.settings, former, kept.database)
    assert list(load_key_ring(kept.settings.home).keys) == [kept_back.primary]


def test_a_missing_key_stops_the_rotation_and_loses_nothing(kept: Kept) -> None:
    former = load_key_ring(kept.settings.home).primary
    file = kept.settings.home / "keys" / "data" / f"{former}.key"
    kept_elsewhere = file.read_bytes()
    rotation.add_primary(kept.settings.home)
    file.unlink()
    with pytest.raises(KeyMissing, match=former):
        rotate(kept.settings, resume=True, database=kept.database)
    with pytest.raises(KeyMissing, match=former):
        reencrypt(kept.settings, kept.database)
    present = {use.key: use.present for use in keys_in_use(kept.settings, kept.database)}
    assert [present[former], list(present.values()).count(False)] == [False, 2]
    file.write_bytes(kept_elsewhere)
    rotate(kept.settings, resume=True, database=kept.database)
    assert kept.shown() == list(range(KEPT))


def test_a_data_key_that_was_altered_in_the_database_opens_nothing(kept: Kept) -> None:
    kept.rows("update hub.data_key set wrapped = set_byte(wrapped, 3, get_byte(wrapped, 3) # 1)")
    with pytest.raises(KeyMissing, match=r"was altered, and opens nothing"):
        kept.shown()


def test_two_do_not_rotate_at_once(kept: Kept) -> None:
    assert kept.settings.database_url
    other = connect(kept.settings.database_url)
    ring = load_key_ring(kept.settings.home)
    with locked(other, "rotate keys"), pytest.raises(RunBusy):
        rotate(kept.settings, database=kept.database)
    other.close()
    assert load_key_ring(kept.settings.home) == ring
