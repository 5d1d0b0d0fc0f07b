from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

from oncehub.config.catalogue import load_connector
from oncehub.config.entities import load_entities
from oncehub.intake.sync import sync
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.share.retention.purge import purge
from oncehub.store.connection import Connection, connect

CODE = "1.004222"
ID = "001184000999"
WHO = {"person.personal_id": ID}
SHOWN, NEW = "+84912345678", "+84912000001"
SENTINEL = "Ngõ Bí Mật 77"
ADDRESS = {"unit": "00004", "edition": "2025-07-01", "detail": SENTINEL}

_CITIZEN = """
insert into record.person
    (source, stream, source_key, personal_id, full_name, birth_date, sex, life_status, stated_at)
values ('population', 'citizens', 'CD1', %s, 'Nguyễn Thị An', '1984-05-07', 'female', 'alive', '2026-01-01')
"""
_ACCOUNT = """
insert into record.person (source, stream, source_key, personal_id, full_name, phone, stated_at)
values ('portal', 'accounts', 'TK1', %s, 'Nguyễn Thị An', %s, '2026-02-01')
"""
_MARK = "insert into intake.dirty (source, stream, source_key) values (%s, %s, %s)"

Answers = dict[str, dict[str, Any]]


class Desk:
    """A clerk of the portal with one citizen's form, and the hub's night."""

    def __init__(self, settings: Settings, database: Connection, agency: Any) -> None:
        self.settings = settings
        self.database = database
        self.agency = agency
        self.run(_CITIZEN, ID)
        self.run(_ACCOUNT, ID, SHOWN)
        self.run(_MARK, "population", "citizens", "CD1")
        self.run(_MARK, "portal", "accounts", "TK1")
        reconcile(settings, database)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def fill(self, agency: Any = None, **more: Any) -> dict[str, Any]:
        form: dict[str, Any] = (agency or self.agency).prefill(CODE, WHO, **more).json()
        return form

    def answers(self, form: dict[str, Any], **changed: dict[str, Any] | None) -> Answers:
        """Confirm what is to be confirmed, and say none to what is asked, but for what is `changed`."""
        given = {name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]}
        given |= {name: {"kind": "none"} for name in form["missing_items"]}
        return {name: answer for name, answer in (given | changed).items() if answer is not None}

    def submit(self, form: dict[str, Any], answers: Answers, agency: Any = None, **more: Any) -> Any:
        agency = agency or self.agency
        body = {"request_id": form["request_id"], "search": WHO, "dossier": "G01-1", "answers": answers}
        path = f"/v1/procedures/{more.pop('code', CODE)}/submissions"
        number = (body | more)["search"].get("person.personal_id", ID)
        return agency.http.post(
            path, json=agency.proving(number, path, body | more), headers=agency.headers()
        )

    def night(self) -> None:
        sync(self.settings, load_connector(self.settings, "portal"), None, streams=["submissions"])
        reconcile(self.settings, self.database)

    def stated(self) -> dict[str, Any]:
        """What the stream states of the citizen, attribute by attribute."""
        rows = self.run(
            "select jsonb_strip_nulls(to_jsonb(r) - '{personal_id}'::text[]) from record.person r "
            "where stream = 'submissions'"
        )
        kept = set(load_entities(self.settings.schemas)["person"].attributes)
        return {name: value for (row,) in rows for name, value in row.items() if name in kept}

    def waiting(self) -> int:
        return int(self.run("select count(*) from intake.submission")[0][0])


@pytest.fixture
def desk(editable: Settings, database: Connection, portal: Any) -> Desk:
    return Desk(editable, database, portal)


def pointers(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"] for error in answer.json()["errors"]}


def test_a_corrected_phone_is_what_her_next_form_shows(desk: Desk) -> None:
    form = desk.fill()
    assert form["items"]["phone"]["value"] == SHOWN

    answer = desk.submit(form, desk.answers(form, phone={"kind": "corrected", "value": NEW}))
    assert (answer.status_code, answer.json()["kept"]) == (202, ["phone"])
    desk.night()

    shown = desk.fill()["items"]["phone"]
    assert (shown["value"], shown["source"]) == (NEW, "portal")
    assert datetime.fromisoformat(shown["as_of"]).date() == datetime.now(UTC).date()


def test_a_confirmed_phone_is_stated_today(desk: Desk) -> None:
    form = desk.fill()
    before = form["items"]["phone"]["as_of"]
    assert desk.submit(form, desk.answers(form)).json()["kept"] == ["phone"]
    desk.night()
    shown = desk.fill()["items"]["phone"]
    assert shown["value"] == SHOWN
    assert shown["as_of"] > before


def test_what_was_asked_becomes_a_record_linked_and_explained_like_any_other(desk: Desk) -> None:
    form = desk.fill()
    given = desk.answers(
        form,
        email={"kind": "answered", "value": "an@example.vn"},
        current_address={"kind": "answered", "value": ADDRESS},
    )
    assert desk.submit(form, given).json()["kept"] == ["current_address", "email", "phone"]
    desk.night()

    assert desk.stated() == {"phone": SHOWN, "email": "an@example.vn", "current_address": ADDRESS}
    assert desk.run("select method, count(*) from truth.link where stream = 'submissions' group by 1") == [
        ("personal_id", 3)
    ]
    assert desk.fill()["items"]["email"]["value"] == "an@example.vn"
    # The register alone knows where somebody lives: the portal's word is kept, and not believed.
    assert "current_address" in desk.fill()["missing_items"]


def test_items_without_an_attribute_stay_with_the_portal(desk: Desk) -> None:
    form = desk.fill()
    given = desk.answers(form, request={"kind": "answered", "value": f"về {SENTINEL}\nhộ ông Bảy"})
    assert desk.submit(form, given).json()["kept"] == ["phone"]
    desk.night()
    for table in ("share.submission", "share.prefill", "record.person", "intake.submission"):
        rows = desk.run(f"select to_jsonb(t)::text from {table} t")
        assert not [row for (row,) in rows if SENTINEL in row]


def test_the_register_is_not_overwritten(desk: Desk) -> None:
    form = desk.fill()
    answer = desk.submit(form, desk.answers(form, full_name={"kind": "corrected", "value": "Trần Thị Bình"}))
    assert pointers(answer) == {"#/answers/full_name"}
    assert "Bình" not in answer.text
    assert desk.waiting() == 0


def test_every_fault_is_reported_with_its_place_and_none_with_its_value(desk: Desk) -> None:
    form = desk.fill()
    given = desk.answers(
        form,
        phone={"kind": "corrected", "value": "0912 sentinel"},
        email={"kind": "confirmed"},
        sex={"kind": "confirmed", "value": "male"},
        current_address={"kind": "answered", "value": {"unit": "sentinel", "street": "sentinel"}},
        household_head={"kind": "answered", "value": {"full_name": "sentinel\u0007"}},
        other={"kind": "none"},
        members=None,
    )
    answer = desk.submit(form, given)
    assert pointers(answer) == {
        "#/answers",
        "#/answers/phone/value",
        "#/answers/email/kind",
        "#/answers/sex",
        "#/answers/current_address/value",
        "#/answers/current_address/value/unit",
        "#/answers/household_head/value/full_name",
        "#/answers/members",
    }
    assert "sentinel" not in answer.text
    assert (desk.waiting(), desk.run("select from share.submission")) == (0, [])


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("phone", None),
        ("phone", "+8491234567\n"),
        ("email", f"{'a' * 500}@example.vn"),
        ("phone", 84912345678),
    ],
)
def test_a_value_that_is_no_short_line_in_canonical_form_is_refused(
    desk: Desk, item: str, value: Any
) -> None:
    form = desk.fill()
    kind = "corrected" if item in form["items"] else "answered"
    answer = desk.submit(form, desk.answers(form, **{item: {"kind": kind, "value": value}}))
    assert pointers(answer) == {f"#/answers/{item}/value"}


def test_what_the_mapping_would_send_to_quarantine_is_refused_at_the_door(desk: Desk) -> None:
    desk.run("update truth.person set birth_date = null")
    form = desk.fill()
    no_day = {"kind": "answered", "value": "1984-13-45"}
    answer = desk.submit(form, desk.answers(form, birth_date=no_day))
    assert pointers(answer) == {"#/answers/birth_date/value"}
    assert "cannot be kept" in answer.text
    assert "1984" not in answer.text
    day = {"kind": "answered", "value": "1984-05"}
    assert desk.submit(form, desk.answers(form, birth_date=day)).json()["kept"] == ["birth_date", "phone"]


def test_what_was_submitted_is_not_purged_before_it_has_landed(desk: Desk) -> None:
    form = desk.fill()
    assert desk.submit(form, desk.answers(form)).status_code == 202
    late = datetime.now(UTC) + timedelta(days=400)

    def gone() -> set[str]:
        removed = purge(desk.settings, desk.database, now=late).removed
        return {kind for kind in ("filled_forms", "landed_submissions") if kind in removed}

    assert gone() == set()
    desk.night()
    assert gone() == {"filled_forms", "landed_submissions"}
    assert desk.stated()["phone"] == SHOWN


def test_the_same_again_is_answered_the_same_and_anything_else_refused(desk: Desk) -> None:
    form = desk.fill()
    given = desk.answers(form, phone={"kind": "corrected", "value": NEW})
    first, again = desk.submit(form, given), desk.submit(form, given)
    other = desk.submit(form, desk.answers(form))
    elsewhere = desk.submit(form, given, dossier="G01-2")

    assert first.json() == again.json()
    assert (first.status_code, again.status_code) == (202, 202)
    assert (other.status_code, elsewhere.status_code) == (409, 409)
    assert desk.waiting() == 1
    desk.night()
    assert desk.submit(form, given).json() == first.json()
    assert desk.waiting() == 0


def test_two_that_come_at_once_are_taken_once(desk: Desk) -> None:
    form = desk.fill()
    given = desk.answers(form)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: desk.submit(form, given), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["submission"] for answer in answers}) == 1
    assert desk.waiting() == 1


def test_only_a_form_of_the_same_client_procedure_and_person_is_answered(
    desk: Desk, admit: Callable[..., Any], believe: Callable[..., str]
) -> None:
    believe(personal_id="001184000777", full_name="Lê Thị Ba", life_status="alive")
    form = desk.fill()
    given = desk.answers(form)
    colleague = admit("portal-residence", "another-client")
    elsewhere = [
        desk.submit({"request_id": str(uuid.uuid4())}, given),
        desk.submit(form, given, agency=colleague),
        desk.submit(form, given, code="1.001193"),
        desk.submit(form, given, search={"person.personal_id": "001184000777"}),
    ]
    assert [pointers(answer) for answer in elsewhere] == [{"#/request_id"}] * 4
    assert len({json.dumps(answer.json()["errors"]) for answer in elsewhere}) == 1
    assert desk.submit(form, given).status_code == 202


def test_a_form_of_yesterday_is_closed(desk: Desk) -> None:
    form = desk.fill()
    desk.run("alter table share.prefill disable trigger prefill_never_changes")
    desk.run("update share.prefill set answered_at = now() - interval '24 hours 1 second'")
    answer = desk.submit(form, desk.answers(form))
    assert answer.status_code == 409
    assert "24 hours" in answer.json()["detail"]


def test_what_changed_since_it_was_shown_is_not_confirmed(desk: Desk) -> None:
    form = desk.fill()
    desk.run("update truth.person set phone = %s", NEW)
    answer = desk.submit(form, desk.answers(form))
    assert answer.status_code == 409
    assert "phone" in answer.json()["detail"]
    assert NEW not in answer.text
    # Corrected, it does not matter what was there.
    assert desk.submit(form, desk.answers(form, phone={"kind": "corrected", "value": NEW})).status_code == 202


def test_a_dossier_is_answered_by_the_form_of_its_day(desk: Desk) -> None:
    form = desk.fill(on="2026-06-30")
    assert desk.submit(form, desk.answers(form)).status_code == 202


def test_who_may_not_submit_is_refused_and_the_refusal_logged(
    desk: Desk, tax: Any, log: Callable[[], list[tuple[Any, ...]]]
) -> None:
    form = desk.fill()
    assert desk.submit(form, desk.answers(form), agency=tax).status_code == 403
    desk.submit(form, desk.answers(form, phone={"kind": "corrected", "value": "x"}))
    desk.submit(form, desk.answers(form))
    lines = [line for line in log() if line[1] == "submission"]
    assert [(line[0], line[6], line[4]) for line in lines] == [
        ("client-of-tax-registration", "refused", []),
        ("client-of-portal-residence", "refused", []),
        ("client-of-portal-residence", "answered", ["person.phone"]),
    ]
    assert lines[0][3] is None
    assert lines[1][3] == lines[2][3] is not None


def test_a_form_is_noted_without_any_value(desk: Desk) -> None:
    desk.fill()
    ((noted,),) = desk.run("select to_jsonb(p)::text from share.prefill p")
    assert '"phone"' in noted
    assert not [value for value in (SHOWN, ID, "Nguyễn", "1984") if value in noted]


def test_no_log_line_holds_what_was_submitted(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        form = desk.fill()
        desk.submit(form, desk.answers(form, phone={"kind": "corrected", "value": f"{SENTINEL}"}))
        desk.submit(form, desk.answers(form, current_address={"kind": "answered", "value": ADDRESS}))
        desk.night()
    assert not [secret for secret in (SENTINEL, ID, SHOWN) if secret in caplog.text]


def test_the_api_s_role_reads_none_of_it(desk: Desk) -> None:
    desk.submit(form := desk.fill(), desk.answers(form))
    refused = [
        "select from share.prefill",
        "select from share.submission",
        "update share.prefill set person = ''",
        "delete from share.submission",
        "insert into record.person (source, stream, source_key, stated_at) values ('portal', '', '', now())",
    ]
    with closing(connect(str(desk.settings.database_url), role="oncehub_api")) as api:
        for statement in refused:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), api, api.cursor() as cursor:
                cursor.execute(statement)


def test_what_is_not_covered_or_a_relative_s_is_checked_and_not_kept(
    desk: Desk, add_items: Callable[..., None]
) -> None:
    add_items(
        CODE,
        faith={"attribute": "person.religion"},
        mother_born={"attribute": "person.birth_date", "of": "mother"},
    )
    form = desk.fill()
    assert form["missing_items"]["faith"]["reason"] == "not_allowed"
    wrong = desk.answers(form, faith={"kind": "answered", "value": "x"})
    assert pointers(desk.submit(form, wrong)) == {"#/answers/faith/value"}
    given = desk.answers(
        form,
        faith={"kind": "answered", "value": "01"},
        mother_born={"kind": "answered", "value": "1950"},
    )
    assert desk.submit(form, given).json()["kept"] == ["phone"]
    desk.night()
    assert desk.stated() == {"phone": SHOWN}


def test_two_items_of_one_attribute_must_say_the_same(desk: Desk, add_items: Callable[..., None]) -> None:
    add_items(CODE, second_phone={"attribute": "person.phone", "confirm": True})
    form = desk.fill()
    given = desk.answers(form, second_phone={"kind": "corrected", "value": NEW})
    assert pointers(desk.submit(form, given)) == {"#/answers/second_phone/value"}
    both = {"kind": "corrected", "value": NEW}
    assert desk.submit(form, desk.answers(form, phone=both, second_phone=both)).json()["kept"] == [
        "phone",
        "second_phone",
    ]


@pytest.fixture
def phone_schema(editable: Settings) -> Any:
    properties = load_entities(editable.schemas)["person"].schema["properties"]
    return Draft202012Validator({"type": "object", "properties": properties})


# Larger integers have no canonical form to be proven by.
@given(
    value=some.one_of(
        some.text(max_size=30),
        some.from_regex(r"^\+[0-9]{6,17}$"),
        some.integers(1 - 2**53, 2**53 - 1),
        some.lists(some.text()),
    )
)
def test_a_phone_is_taken_exactly_when_the_schema_does(desk: Desk, phone_schema: Any, value: Any) -> None:
    form = desk.fill()
    answer = desk.submit(form, desk.answers(form, phone={"kind": "corrected", "value": value}))
    # Python's $ lets a line break pass, which is no letter of a number.
    fits = phone_schema.is_valid({"phone": value}) and "\n" not in value
    assert (answer.status_code == 202) == fits
