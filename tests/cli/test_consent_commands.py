"""Consents and requests at the command line."""

from __future__ import annotations

import json

ATTRIBUTES = ("--attribute", "person.full_name", "--attribute", "person.phone")
PROOF = ("--by", "Lê Sentinel", "--channel", "counter")


def test_a_consent_is_given_shown_masked_withdrawn_and_due(oncehub, believe, tmp_path, database):
    person = believe(personal_id="001084000999", full_name="Nguyễn Thị An")
    text = tmp_path / "consent.txt"
    text.write_text("Tôi đồng ý", "utf-8")
    asked = ("consent", "give", "--person", person, "--agreement", "bank-accounts", *ATTRIBUTES)
    shown = ("--text", str(text), "--text-version", "1", *PROOF, "--reference", "H26-0001")
    given = oncehub(*asked, *shown)
    assert (given.returncode, given.stderr) == (0, "")
    assert oncehub(*asked, *shown).stdout == given.stdout
    consent = given.stdout.split()[1]

    masked = oncehub("consent", "show", consent, "--json")
    assert "Sentinel" not in masked.stdout
    clear = json.loads(oncehub("consent", "show", consent, "--show-personal-data", "--json").stdout)
    assert (clear["officer"], clear["reference"]) == ("Lê Sentinel", "H26-0001")
    assert clear["attributes"] == ["person.full_name", "person.phone"]

    withdrawn = oncehub("consent", "withdraw", consent, *PROOF, "--reference", "H26-0002")
    assert "withdrawn; bank-accounts must answer the citizen by" in withdrawn.stdout
    assert json.loads(oncehub("consent", "list", "--json").stdout) == []
    (row,) = json.loads(oncehub("consent", "list", "--withdrawn", "--json").stdout)
    assert row["consent_id"] == consent

    verified = oncehub("consent", "verify")
    assert (
        verified.returncode,
        "0 failed; without evidence, by who vouches: 2 operator" in verified.stdout,
    ) == (
        0,
        True,
    )
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update share.consent set vouched_by = 'provider'")
    verified = oncehub("consent", "verify", consent)
    assert (verified.returncode, verified.stderr.partition(":")[0]) == (1, f"{consent} given")

    (request,) = json.loads(oncehub("requests", "due", "--within", "30", "--json").stdout)
    noted = ("requests", "note", request["request_id"])
    refused = oncehub(*noted, "extended", "--by", "clerk")
    assert (refused.returncode, "say why" in refused.stderr) == (1, True)
    assert oncehub(*noted, "answered", "--by", "clerk").returncode == 0
    assert oncehub(*noted, "done", "--by", "clerk").stdout.endswith("done\n")
    assert oncehub("requests", "list").stdout == "requests: none\n"


def test_a_consent_beyond_the_agreement_is_refused_with_advice(oncehub, tmp_path):
    text = tmp_path / "consent.txt"
    text.write_text("Tôi đồng ý", "utf-8")
    who = ("--person", "00000000-0000-0000-0000-000000000001", "--text", str(text), "--text-version", "1")
    asked = ("consent", "give", *who, *PROOF, "--reference", "H26-0001", "--attribute", "person.full_name")
    done = oncehub(*asked, "--agreement", "tax-registration")
    assert (done.returncode, "needs no consent" in done.stderr) == (1, True)
    assert "there are: bank-accounts" in oncehub(*asked, "--agreement", "bank").stderr
