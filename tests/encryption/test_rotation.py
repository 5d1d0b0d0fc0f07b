"""Rotation of the primary key, over the payloads of rejected records."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from oncehub.encryption import rotation
from oncehub.encryption.key_ring import load_key_ring
from oncehub.encryption.rotation import keys_in_use, retire, rotate
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

    def shown(self) -> list[object]:
        listed = list_rejected(self.database)
        return [show_rejected(self.settings, self.database, each.rejected_id).payload for each in listed]

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def used(self) -> dict[str, int]:
        return {use.key: sum(use.values.values()) for use in keys_in_use(self.settings, self.database)}


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


def test_everything_is_reencrypted_and_says_what_it_said(kept: Kept) -> None:
    former = load_key_ring(kept.settings.home).primary
    before = kept.shown()
    assert rotate(kept.settings, database=kept.database) == {"intake.rejected": KEPT}
    assert kept.used() == {load_key_ring(kept.settings.home).primary: KEPT, former: 0}
    assert kept.shown() == before


def test_a_killed_rotation_is_readable_at_once_and_resumed_where_it_stopped(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept.shown()
    monkeypatch.setattr(rotation, "_BATCH", 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(kept.settings, database=kept.database, listener=killed)
    assert sorted(kept.used().values()) == [2, 3]
    assert kept.shown() == before
    assert rotate(kept.settings, resume=True, database=kept.database) == {"intake.rejected": 3}
    assert rotate(kept.settings, resume=True, database=kept.database) == {}
    assert kept.shown() == before


def test_a_record_that_came_again_meanwhile_is_kept_once(kept: Kept) -> None:
    rotation.add_primary(kept.settings.home)
    stored = kept.rows("select digest, key_id, payload from intake.rejected where rejected_id = 1")
    kept.keep(b"0")
    kept.rows(
        "insert into intake.rejected (run_id, source, stream, source_key, kind, stage, reason, path, "
        "digest, key_id, payload) "
        "values (%s, 'tax', 'registrations', 'k', 'records', 'contract', 'r', 'p', %s, %s, %s)",
        kept.run_id,
        *stored[0],
    )
    assert kept.shown().count(0) == 2
    rotate(kept.settings, resume=True, database=kept.database)
    assert kept.shown().count(0) == 1


def test_a_key_is_retired_only_once_nothing_is_encrypted_with_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = load_key_ring(kept.settings.home).primary
    rotate(kept.settings, database=kept.database)
    kept_back = load_key_ring(kept.settings.home)
    with kept.database, kept.database.cursor() as cursor:
        cursor.execute("update intake.rejected set key_id = %s where rejected_id = 1", (former,))
    with pytest.raises(ConfigError, match=f"still encrypted with the key {former}: 1 in intake.rejected"):
        retire(kept.settings, former, kept.database)
    assert load_key_ring(kept.settings.home) == kept_back
    with kept.database, kept.database.cursor() as cursor:
        cursor.execute("update intake.rejected set key_id = %s", (kept_back.primary,))
    retire(kept.settings, former, kept.database)
    with pytest.raises(KeyMissing, match=f"no key {former} to retire"):
        retire(kept.settings, former, kept.database)
    assert list(load_key_ring(kept.settings.home).keys) == [kept_back.primary]


def test_a_missing_key_stops_the_rotation_and_loses_nothing(kept: Kept) -> None:
    former = load_key_ring(kept.settings.home).primary
    file = kept.settings.home / "keys" / "data" / f"{former}.key"
    kept_elsewhere = file.read_bytes()
    before = kept.shown()
    rotation.add_primary(kept.settings.home)
    file.unlink()
    with pytest.raises(KeyMissing, match=former):
        rotate(kept.settings, resume=True, database=kept.database)
    assert [use.in_ring for use in keys_in_use(kept.settings, kept.database)] == [True, False]
    file.write_bytes(kept_elsewhere)
    rotate(kept.settings, resume=True, database=kept.database)
    assert kept.shown() == before


def test_two_do_not_rotate_at_once(kept: Kept) -> None:
    assert kept.settings.database_url
    other = connect(kept.settings.database_url)
    ring = load_key_ring(kept.settings.home)
    with locked(other, "rotate keys"), pytest.raises(RunBusy):
        rotate(kept.settings, database=kept.database)
    other.close()
    assert load_key_ring(kept.settings.home) == ring
