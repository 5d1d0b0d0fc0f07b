"""`oncehub identity`: keys of a provider are listed, pinned from a file and ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.conftest import ROOT

GIVEN = (
    "# kept\nname: vneid\nissuer: https://vneid.gov.vn\nproves: citizens\naudiences: {G01: [p]}\nacr: ['2']\n"
)
EC, RSA, WIDE = ECKey.generate_key("P-256"), RSAKey.generate_key(2048), ECKey.generate_key("P-521")
DAYS = ("--from", "2026-01-01", "--until", "2026-06-30")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "providers"
    shutil.copytree(ROOT / "mappings" / "identity_providers", folder)
    return folder


@pytest.fixture
def published(tmp_path: Path) -> str:
    file = tmp_path / "jwks.json"
    sets = [EC.as_dict(private=False), RSA.as_dict(private=False) | {"kid": "r", "x5c": ["MII"]}]
    file.write_text(json.dumps({"keys": [*sets, WIDE.as_dict(private=False)]}), "utf-8")
    return str(file)


@pytest.mark.parametrize(
    "keys",
    ["", "keys: []\n", "keys:\n  []  # none\n", "keys: []  # none\nsubject: sub\n", "keys: []"],
)
def test_keys_are_pinned_and_ended_and_all_else_stays_as_written(oncehub, folder, published, keys):
    document = folder / "vneid.yaml"
    document.write_text(GIVEN + keys, "utf-8")

    def run(*arguments):
        return oncehub("identity", *arguments, ONCEHUB_IDENTITY_PROVIDERS=str(folder))

    listed = run("published", "vneid", "--source", published, "--json")
    rows = {row["thumbprint"]: row["state"] for row in json.loads(listed.stdout)}
    assert (listed.returncode, rows[EC.thumbprint()], rows[RSA.thumbprint()]) == (
        1,
        "not pinned",
        "not pinned",
    )
    assert "is of a kind that is not accepted" in rows["-"]
    for key in (EC, RSA):
        assert run("pin", "vneid", key.thumbprint(), *DAYS, "--source", published).returncode == 0
    assert run("published", "vneid", "--source", published).returncode == 0
    assert run("end", "vneid", EC.thumbprint(), "--until", "2026-03-01").returncode == 0
    rows = json.loads(run("keys", "--json").stdout)
    assert {(row["thumbprint"], row["until"]) for row in rows} == {
        (EC.thumbprint(), "2026-03-01"),
        (RSA.thumbprint(), "2026-06-30"),
    }
    text = document.read_text("utf-8")
    assert text.startswith(GIVEN)
    assert ("# none" in text, "subject: sub" in text) == ("# none" in keys, "subject" in keys)

    for arguments, advice in (
        (("pin", "vneid", EC.thumbprint(), *DAYS, "--source", published), "pinned already"),
        (("pin", "vneid", WIDE.thumbprint(), *DAYS, "--source", published), "publishes no key"),
        (("published", "vneid", "--source", "http://vneid.gov.vn/jwks"), "over https"),
        (("pin", "other", EC.thumbprint(), *DAYS), "there are: state-officers, vneid"),
        (("end", "vneid", WIDE.thumbprint(), "--until", "2026-03-01"), "has no key"),
        (("end", "vneid", EC.thumbprint(), "--until", "2025-03-01"), "it begins on 2026-01-01"),
        (("published", "vneid", "--source", str(folder / "vneid.yaml")), "is not a JWK Set"),
    ):
        refused = run(*arguments)
        assert (refused.returncode, advice in refused.stderr) == (2, True), refused.stderr
    assert document.read_text("utf-8") == text


def test_a_provider_without_a_valid_key_is_told_and_is_no_fault(oncehub):
    checked = oncehub("check", "--json")
    notes = json.loads(checked.stdout)["notes"]
    assert (checked.returncode, len(notes)) == (0, 2)
    assert "all citizens at G01 are refused; see oncehub identity published vneid" in notes[1]
    assert "note: " in oncehub("check").stderr
