import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from oncehub.config.connection import Connection, connection_from_environment
from oncehub.encryption.key_ring import load_key_ring
from oncehub.encryption.secrets import create_key, symmetric_key
from oncehub.errors import ConfigError, KeyMissing
from oncehub.settings import load_settings


def test_a_key_is_made_once_readable_by_its_owner_only(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="there is no quarantine key in ONCEHUB_KEY_QUARANTINE or"):
        symmetric_key("quarantine", tmp_path)
    create_key("quarantine", tmp_path)
    key = symmetric_key("quarantine", tmp_path)
    assert len(key) == 32
    for name in ("quarantine", "pseudonym"):
        create_key(name, tmp_path)
    assert symmetric_key("quarantine", tmp_path) == key
    assert symmetric_key("pseudonym", tmp_path) != key
    mode = (tmp_path / "keys" / "quarantine.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_those_who_race_for_a_key_agree_on_one(tmp_path: Path) -> None:
    def made(_: int) -> bytes:
        create_key("race", tmp_path)
        return symmetric_key("race", tmp_path)

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(made, range(32)))
    assert len(keys) == 1


def test_a_key_of_the_environment_wins_and_must_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCEHUB_KEY_TOKEN", base64.b64encode(b"k" * 32).decode())
    assert symmetric_key("token", tmp_path) == b"k" * 32
    monkeypatch.setenv("ONCEHUB_KEY_TOKEN", "c2hvcnQ=")
    with pytest.raises(ConfigError, match="ONCEHUB_KEY_TOKEN must hold 32 bytes"):
        symmetric_key("token", tmp_path)


def test_a_secret_may_stand_in_a_file_that_a_setting_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(base64.b64encode(b"k" * 32) + b"\n")
    for name in ("ONCEHUB_KEY_TOKEN", "ONCEHUB_KEY_DATA", "ONCEHUB_SIGNING_DATABASE_URL"):
        monkeypatch.setenv(f"{name}_FILE", str(file))
    assert symmetric_key("token", tmp_path) == b"k" * 32
    ring = load_key_ring(tmp_path)
    assert ring.keys[ring.primary] == b"k" * 32
    assert load_settings().signing_database_url == file.read_text().strip()
    monkeypatch.setenv("ONCEHUB_KEY_TOKEN", "c2hvcnQ=")
    with pytest.raises(ConfigError, match="ONCEHUB_KEY_TOKEN and ONCEHUB_KEY_TOKEN_FILE are both set"):
        symmetric_key("token", tmp_path)
    file.unlink()
    with pytest.raises(ConfigError, match="which ONCEHUB_KEY_DATA_FILE names, cannot be read: No such file"):
        load_key_ring(tmp_path)


def test_a_connection_comes_from_the_environment_and_never_shows_its_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "ONCEHUB_CONN_TAX",
        '{"host": "http://h/", "login": "key", "password": "hush", "extra": {"k": "hush"}}',
    )
    connection = connection_from_environment("tax")
    assert connection == Connection("http://h", "key", "hush", {"k": "hush"})
    assert "hush" not in repr(connection)


def test_a_connection_as_airflow_exports_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = {"conn_type": "http", "description": "", "host": "https://h", "port": None, "schema": ""}
    monkeypatch.setenv("ONCEHUB_CONN_TAX", json.dumps(exported))
    assert connection_from_environment("tax") == Connection("https://h")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{broken hush",
        "[]",
        '{"login": "hush"}',
        '{"host": "https://h", "user": "hush"}',
        '{"host": "https://h", "port": 8443, "password": "hush"}',
        '{"host": "https://h", "extra": "hush"}',
    ],
)
def test_a_bad_connection_is_named_without_its_content(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEHUB_CONN_TAX", text)
    with pytest.raises(ConfigError, match="ONCEHUB_CONN_TAX") as caught:
        connection_from_environment("tax")
    assert "hush" not in str(caught.value)


def test_a_root_without_the_folders_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEHUB_ROOT", str(tmp_path))
    with pytest.raises(ConfigError, match="has no folder connectors, mappings, schemas; set ONCEHUB_ROOT"):
        load_settings()
