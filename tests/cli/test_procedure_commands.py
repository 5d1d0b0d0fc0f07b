"""`oncehub procedures`: the forms there are, and how much of them the hub fills."""

from __future__ import annotations

import json

from oncehub.share.coverage.measure import record_day


def test_forms_are_listed_and_shown_by_the_day(oncehub):
    listed = json.loads(oncehub("procedures", "list", "--json").stdout)
    assert [row["service"] for row in listed] == list(range(1, 26))

    before = json.loads(oncehub("procedures", "show", "1.004222", "--on", "2026-06-30", "--json").stdout)
    assert before["legal"] == "Thông tư 66/2023/TT-BCA"
    phone = next(row for row in before["items"] if row["item"] == "phone")
    assert (phone["from"], phone["confirm"]) == ("person.phone", True)

    unknown = oncehub("procedures", "show", "9.999999")
    assert unknown.returncode == 2
    assert "oncehub procedures list" in unknown.stderr


def test_coverage_is_shown_now_and_day_by_day_without_any_person(oncehub, believe, settings, database):
    believe(personal_id="001184000999", full_name="Nguyễn Thị An", phone="+84912345678", life_status="alive")
    believe(personal_id="001184000777", full_name="Lê Thị Ba", life_status="alive")
    believe(personal_id="001184000555", full_name="Bà Đã Mất", life_status="deceased")
    only = ("--procedure", "1.004222", "--agreement", "portal-residence")

    (now,) = json.loads(oncehub("procedures", "coverage", *only, "--json").stdout)
    assert now["people"] == 2
    assert now["by_item"]["phone"] == {"confirm": 1, "not_known": 1}
    assert now["filled"] + now["confirm"] + now["papers"] + sum(now["missing"].values()) == 2 * now["items"]

    record_day(settings, database)
    kept = oncehub("procedures", "coverage", *only, "--history", "--json").stdout
    (day,) = json.loads(kept)
    assert {name: day[name] for name in ("people", "filled", "missing")} == {
        name: now[name] for name in ("people", "filled", "missing")
    }
    assert "An" not in kept
    assert oncehub("procedures", "coverage", "--history", "--province", "01").returncode == 2
    table = oncehub("procedures", "coverage", *only).stdout
    assert "household_head" in table
    assert "not_known" in table
