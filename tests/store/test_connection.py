"""Which database the hub connects to, and what it says of a setting that names none."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from oncehub.errors import ConfigError
from oncehub.settings import Settings, load_settings
from oncehub.store.connection import connect, database_url, parts_of_url


@pytest.mark.parametrize("password", ["s3/cret", "s3@cret", "/s3cret", "s3%cret", "s3/c@ret"])
def test_a_password_that_breaks_the_url_is_named_as_the_fault_and_not_shown(password: str) -> None:
    with pytest.raises(ConfigError, match=r"ONCEHUB_DATABASE_URL .* percent-encoded") as refused:
        connect(f"postgresql://oncehub:{password}@localhost/oncehub")
    assert "cret" not in str(refused.value)


def test_a_password_that_is_percent_encoded_is_taken_as_it_was() -> None:
    url = "postgresql://oncehub:a%2Fb%40c@localhost/oncehub"
    assert parts_of_url(url) == parse_dsn(url)
    assert parts_of_url(url)["password"] == "a/b@c"


def test_where_the_embedded_server_is_forbidden_the_missing_setting_is_named_and_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ONCEHUB_DATABASE_URL", raising=False)
    monkeypatch.setenv("ONCEHUB_EMBEDDED", "off")
    monkeypatch.setenv("ONCEHUB_HOME", str(tmp_path / "home"))
    with pytest.raises(ConfigError, match="ONCEHUB_DATABASE_URL is not set here"):
        database_url(load_settings())
    assert not (tmp_path / "home").exists()


def test_a_word_that_is_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEHUB_EMBEDDED", "no")
    with pytest.raises(ConfigError, match="ONCEHUB_EMBEDDED must be on or off"):
        load_settings()


def test_the_database_that_is_named_is_used(tmp_path: Path) -> None:
    url = "postgresql://oncehub@localhost/oncehub"
    assert database_url(Settings(tmp_path, tmp_path, url, embedded=False)) == url
