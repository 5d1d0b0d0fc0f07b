"""What becomes of a hub whose keys are lost, exchanged or older: it stops, and makes no new ones."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from oncehub.api.core.hub import open_hub
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.encryption.key_ring import add_primary, create_key_ring, load_key_ring
from oncehub.encryption.known_keys import known_ring
from oncehub.encryption.rotation import retire, rotate
from oncehub.errors import KeyMissing
from oncehub.initialise import initialise
from oncehub.intake.quarantine.rejected_records import Quarantine
from oncehub.normalize.batch import Rejected
from oncehub.settings import Settings
from oncehub.share.retention.purge import purge
from oncehub.store.connection import Connection


@pytest.fixture
def used(settings: Settings, database: Connection) -> Settings:
    """A hub that has encrypted, signed, purged and served."""
    write_checkpoints(settings, database)
    purge(settings, database)
    open_hub(settings).database.close()
    _keep(settings, database)
    return settings


def _keep(settings: Settings, database: Connection) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into intake.run (source, stream, mode, state) "
            "values ('tax', 'registrations', 'full', 'succeeded') returning run_id"
        )
        (run_id,) = cursor.fetchone() or (0,)
        bad = [Rejected("k", "contract", "r", "p", b"1")]
        Quarantine(settings, "tax", "registrations").keep(database, run_id, bad)


def _stopped(settings: Settings, database: Connection, key: str) -> None:
    """All that would use the key is refused, and no key is made."""
    keys = settings.home / "keys"
    before = sorted(path.name for path in keys.rglob("*"))
    ways = {
        "data": [lambda: _keep(settings, database), lambda: rotate(settings, database=database)],
        "signing": [lambda: write_checkpoints(settings, database)],
        "pseudonym": [lambda: purge(settings, database)],
    }[key]
    if key != "signing":
        ways.append(lambda: open_hub(settings))
    for way in ways:
        with pytest.raises(KeyMissing, match=f"the {key} key [0-9a-f, ]+ which this hub has used, is not in"):
            way()
        database.rollback()
    assert sorted(path.name for path in keys.rglob("*")) == before


@pytest.mark.parametrize("key", ["data", "signing", "pseudonym"])
def test_a_lost_key_stops_whatever_uses_it_and_no_new_one_is_made(
    used: Settings, database: Connection, key: str
) -> None:
    path = used.home / "keys" / (key if key == "data" else f"{key}.key")
    kept = path.rename(used.home / "kept")
    _stopped(used, database, key)
    kept.rename(path)
    _keep(used, database)
    write_checkpoints(used, database)
    purge(used, database)


@pytest.mark.parametrize("key", ["data", "signing", "pseudonym"])
def test_a_key_that_is_lost_after_init_and_before_its_first_use_stops_it(
    settings: Settings, database: Connection, key: str
) -> None:
    path = settings.home / "keys" / (key if key == "data" else f"{key}.key")
    path.rename(settings.home / "kept")
    _stopped(settings, database, key)
    initialise(settings, make_keys=True)
    assert not path.exists()


def test_a_lost_token_key_stops_the_api_and_another_one_given_on_purpose_does_not(
    used: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (used.home / "keys" / "token.key").unlink()
    initialise(used, make_keys=True)
    with pytest.raises(
        KeyMissing, match=r"there is no token key in ONCEHUB_KEY_TOKEN or .*token.key; put it"
    ):
        open_hub(used)
    monkeypatch.setenv("ONCEHUB_KEY_TOKEN", base64.b64encode(b"k" * 32).decode())
    open_hub(used).database.close()


def test_beside_a_server_of_its_own_a_new_hub_must_be_given_its_keys(
    settings: Settings, database: Connection
) -> None:
    shutil.rmtree(settings.home / "keys")
    _forget_all(database)
    every = ", ".join(f"ONCEHUB_KEY_{use}" for use in ("DATA", "PSEUDONYM", "SIGNING", "REQUEST"))
    with pytest.raises(KeyMissing, match=f"{every}: not"):
        initialise(settings)
    assert not (settings.home / "keys").exists()
    for way in (lambda: open_hub(settings), lambda: write_checkpoints(settings, database)):
        with pytest.raises(KeyMissing, match=r"there is no (data|signing) key in ONCEHUB_KEY_[A-Z]+ or "):
            way()
        database.rollback()
    assert not (settings.home / "keys").exists()
    initialise(settings, make_keys=True)
    open_hub(settings).database.close()
    shutil.rmtree(settings.home / "keys")
    with pytest.raises(KeyMissing, match="which this hub has used"):
        open_hub(settings)


def _forget_all(database: Connection) -> None:
    """Make the hub one that `init` has not noted keys of."""
    with database, database.cursor() as cursor:
        cursor.execute("delete from hub.key")


@pytest.mark.parametrize("key", ["signing", "pseudonym"])
def test_another_hubs_key_is_not_accepted(
    used: Settings, database: Connection, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ONCEHUB_KEY_{key.upper()}", base64.b64encode(b"k" * 32).decode())
    _stopped(used, database, key)
    if key == "signing":
        write_checkpoints(used, database, new_key=True)
    else:
        own = (used.home / "keys" / "pseudonym.key").read_text("ascii")
        monkeypatch.setenv("ONCEHUB_KEYS_PSEUDONYM_RETIRED", own)
    purge(used, database)


def test_another_hubs_ring_or_one_from_before_a_rotation_is_not_accepted(
    used: Settings, database: Connection, tmp_path: Path
) -> None:
    ring = used.home / "keys" / "data"
    former = shutil.copytree(ring, tmp_path / "former")
    rotate(used, database=database)
    _keep(used, database)
    present = ring.rename(tmp_path / "present")
    create_key_ring(tmp_path / "stranger")
    for other in (former, tmp_path / "stranger" / "keys" / "data"):
        shutil.copytree(other, ring)
        _stopped(used, database, "data")
        shutil.rmtree(ring)
    present.rename(ring)
    _keep(used, database)


def test_a_killed_rotation_or_retirement_leaves_no_known_key_missing(
    used: Settings, database: Connection
) -> None:
    former = load_key_ring(used.home).primary
    add_primary(used.home)
    rotate(used, resume=True, database=database)
    retire(used, former, database)
    _keep(used, database)
    with database, database.cursor() as cursor:
        assert known_ring(cursor, used.home).primary != former
