"""An administrator keeps clients and their keys by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from oncehub.cli.app import app
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection


@pytest.fixture
def oncehub(editable: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command in this process, and give what it printed."""
    monkeypatch.setenv("ONCEHUB_ROOT", str(editable.root))
    monkeypatch.setenv("ONCEHUB_HOME", str(editable.home))
    monkeypatch.setenv("ONCEHUB_DATABASE_URL", str(editable.database_url))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(app, [*map(str, arguments)])
        if done.exception:
            raise done.exception
        return done.stdout

    return run


@pytest.fixture
def key(oncehub: Callable[..., str], tmp_path: Path) -> Callable[[str], Path]:
    """Make a key pair; the file with its public half."""

    def make(name: str) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(oncehub("client", "new-key", tmp_path / f"{name}.pem"))
        return path

    return make


def fault(oncehub: Callable[..., str]) -> str | None:
    (client,) = json.loads(oncehub("client", "list", "--json"))
    return client["fault"]


def states(oncehub: Callable[..., str]) -> list[str]:
    return sorted(each["state"] for each in json.loads(oncehub("client", "keys", "portal", "--json")))


def test_a_key_is_added_beside_the_old_one_and_the_old_one_retired(oncehub: Any, key: Any) -> None:
    first, second = key("first"), key("second")
    oncehub("client", "add", "portal", "--agreement", "portal-residence", "--public-key", first)
    assert fault(oncehub) is None
    added = oncehub("client", "add-key", "portal", "--public-key", second).strip()
    assert added == oncehub("client", "thumbprint", second).strip()
    assert states(oncehub) == ["valid", "valid"]
    old = oncehub("client", "thumbprint", first).strip()
    assert oncehub("client", "retire-key", "portal", old) == ""
    assert states(oncehub) == ["ended", "valid"]
    assert fault(oncehub) is None
    told = oncehub("client", "retire-key", "portal", added, "--leaked")
    assert told == "portal can no longer request tokens: no valid key\n"
    assert states(oncehub) == ["ended", "leaked"]
    assert fault(oncehub) == "no valid key"
    with pytest.raises(ConfigError, match="never accepted again"):
        oncehub("client", "add-key", "portal", "--public-key", second)


def test_a_key_is_retired_by_a_thumbprint_that_begins_like_an_option(oncehub: Any, tmp_path: Path) -> None:
    keys = (OKPKey.generate_key("Ed25519", private=False) for _ in range(10_000))
    key = next(key for key in keys if key.thumbprint().startswith("-"))
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key.as_dict(private=False)), "utf-8")
    oncehub("client", "add", "portal", "--agreement", "portal-residence", "--public-key", path)
    oncehub("client", "retire-key", "portal", key.thumbprint())
    assert states(oncehub) == ["ended"]
    with pytest.raises(ConfigError, match="no key '--leakd'"):
        oncehub("client", "retire-key", "portal", "--leakd")


def test_keys_near_their_end_are_warned_of_until_another_is_there(oncehub: Any, key: Any) -> None:
    soon = datetime.now(UTC) + timedelta(days=10)
    oncehub(
        "client", "add", "portal", "--agreement", "portal-residence", "--public-key", key("1"),
        "--until", f"{soon:%Y-%m-%dT%H:%M:%S+0000}",
    )  # fmt: skip
    assert fault(oncehub) == "its last key ends in 9 days; add another"
    assert "its last key ends in 9 days" in oncehub("client", "list")
    oncehub("client", "add-key", "portal", "--public-key", key("2"), "--from", f"{soon:%Y-%m-%d}")
    assert fault(oncehub) is None
    assert states(oncehub) == ["not_yet", "valid"]
    oncehub("client", "revoke", "portal")
    assert fault(oncehub) == "revoked"


def test_a_key_that_cannot_be_meant_is_refused(oncehub: Any, key: Any) -> None:
    own = key("own")
    with pytest.raises(ConfigError, match="there is no agreement 'portal-residense'; there are: "):
        oncehub("client", "add", "portal", "--agreement", "portal-residense", "--public-key", own)
    with pytest.raises(ConfigError, match="no client 'portal' is admitted"):
        oncehub("client", "add-key", "portal", "--public-key", own)
    oncehub("client", "add", "portal", "--agreement", "portal-residence", "--public-key", own)
    for wrong, days in {
        "would never be valid": ("--until", "2020-01-01"),
        "at most 1095 days": ("--until", "2099-01-01"),
    }.items():
        with pytest.raises(ConfigError, match=wrong):
            oncehub("client", "add-key", "portal", "--public-key", key(days[1]), *days)
    with pytest.raises(ConfigError, match="another client has that key"):
        oncehub("client", "add", "second", "--agreement", "portal-residence", "--public-key", own)
    with pytest.raises(ConfigError, match="has no key 'x' that ends later"):
        oncehub("client", "retire-key", "portal", "x")
    with pytest.raises(ConfigError, match="no client has a key 'x'"):
        oncehub("client", "retire-key", "portal", "x", "--leaked")
    for number in range(4):
        oncehub("client", "add-key", "portal", "--public-key", key(f"more{number}"))
    with pytest.raises(ConfigError, match="at most 5 keys"):
        oncehub("client", "add-key", "portal", "--public-key", key("sixth"))
    assert states(oncehub) == ["valid"] * 5


def test_keys_that_an_agreement_names_are_the_only_ones(
    oncehub: Any, key: Any, editable: Settings, database: Connection
) -> None:
    named, other = key("named"), key("other")
    oncehub("client", "add", "portal", "--agreement", "portal-residence", "--public-key", other)
    path = editable.mappings / "agreements" / "portal-residence.yaml"
    plain = path.read_text("utf-8")
    path.write_text(f"{plain}keys: [{oncehub('client', 'thumbprint', named).strip()}]\n", "utf-8")
    assert fault(oncehub) == "no key that its agreement names"
    with pytest.raises(ConfigError, match="names the keys of its clients"):
        oncehub("client", "add", "portal", "--agreement", "portal-residence", "--public-key", other)
    oncehub("client", "add-key", "portal", "--public-key", named)
    assert fault(oncehub) is None
    shutil.move(path, path.with_suffix(".gone"))
    assert fault(oncehub) == "its agreement is not kept"
