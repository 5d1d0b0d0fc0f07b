"""The keys that stored data is encrypted with, and what becomes of them."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from oncehub.encryption.key_ring import add_primary, create_key_ring, drop_key, key_id, load_key_ring
from oncehub.errors import ConfigError, KeyMissing

OLD, NEW = b"o" * 32, b"n" * 32


def ring_in_environment(monkeypatch: pytest.MonkeyPatch, *keys: bytes) -> None:
    monkeypatch.setenv("ONCEHUB_KEY_DATA", " ".join(base64.b64encode(key).decode() for key in keys))


def test_a_ring_is_made_once_of_files_that_their_owner_alone_reads(tmp_path: Path) -> None:
    ring = create_key_ring(tmp_path)
    assert load_key_ring(tmp_path) == ring
    files = list((tmp_path / "keys" / "data").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert sorted(file.name for file in files) == [f"{ring.primary}.key", "primary"]


def test_those_who_race_for_the_first_key_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: create_key_ring(tmp_path), range(32)))
    assert {ring.primary for ring in rings} == {load_key_ring(tmp_path).primary}
    assert list(load_key_ring(tmp_path).keys) == [rings[0].primary]


def test_a_new_key_encrypts_at_once_and_the_former_one_still_decrypts(tmp_path: Path) -> None:
    former = create_key_ring(tmp_path)
    ring = add_primary(tmp_path)
    assert ring.primary != former.primary
    assert ring.key(former.primary) == former.key(former.primary)
    assert load_key_ring(tmp_path) == ring


def test_a_ring_in_the_environment_encrypts_with_its_first_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_in_environment(monkeypatch, NEW, OLD)
    ring = create_key_ring(tmp_path)
    assert (ring.primary, ring.key(key_id(OLD))) == (key_id(NEW), OLD)
    assert not (tmp_path / "keys").exists()
    with pytest.raises(ConfigError, match="put a new key in front"):
        add_primary(tmp_path)
    with pytest.raises(ConfigError, match="take it out of ONCEHUB_KEY_DATA"):
        drop_key(tmp_path, key_id(OLD))


def test_a_key_that_is_not_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEHUB_KEY_DATA", "c2hvcnQ=")
    with pytest.raises(ConfigError, match="ONCEHUB_KEY_DATA must hold 32 bytes"):
        load_key_ring(tmp_path)


def test_a_file_with_another_key_than_it_is_named_after_is_refused(tmp_path: Path) -> None:
    ring = create_key_ring(tmp_path)
    file = tmp_path / "keys" / "data" / f"{ring.primary}.key"
    file.write_text(base64.b64encode(OLD).decode())
    with pytest.raises(ConfigError, match="holds another key than the one in its name"):
        load_key_ring(tmp_path)


def test_a_missing_key_is_named_by_its_id_with_what_to_do(tmp_path: Path) -> None:
    former = create_key_ring(tmp_path).primary
    add_primary(tmp_path)
    (tmp_path / "keys" / "data" / f"{former}.key").unlink()
    with pytest.raises(KeyMissing, match=f"the key {former} is not in the key ring .*put it back"):
        load_key_ring(tmp_path).key(former)


def test_only_a_key_that_is_not_primary_is_dropped(tmp_path: Path) -> None:
    former = create_key_ring(tmp_path).primary
    ring = add_primary(tmp_path)
    with pytest.raises(ConfigError, match="is the primary key"):
        drop_key(tmp_path, ring.primary)
    drop_key(tmp_path, former)
    assert list(load_key_ring(tmp_path).keys) == [ring.primary]
    with pytest.raises(KeyMissing, match=f"no key {former} to retire in .*, which holds {ring.primary}"):
        drop_key(tmp_path, former)


def test_no_key_is_ever_printed(tmp_path: Path) -> None:
    ring = create_key_ring(tmp_path)
    assert str(ring.key(ring.primary)) not in repr(ring)
