"""What an open request is told by a person's key: what its agreement entitles to, of its person."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2.errors
import pytest

from oncehub.api.database import api_login
from oncehub.audit.log.entries import Entry, write
from oncehub.config.agreements import Agreement, Cases, CitizenView, Condition
from oncehub.errors import StoreError
from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.population import Catalogues
from oncehub.share.consent.consents import Proof, ShownText, record_consent
from oncehub.share.data_subjects.correction_requests import Correction, request_correction
from oncehub.share.people.lookup import Question
from oncehub.share.request_proofs import ProofKeys, Table, insert, proving
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection, connect
from tests.api.asking import Asking, proof_keys

IN_HANOI = {"unit": "00004", "edition": "2025-07-01", "detail": None}
OUTSIDE = {"unit": "26734", "edition": "2025-07-01", "detail": None}
HANOI = {"person.permanent_address": Condition(province=("01",))}
REACHES: dict[str, Any] = {
    "population": HANOI,
    "papers": True,
    "submissions": "portal.submissions",
    "records_consent_for": ("bank-accounts",),
    "citizen_view": CitizenView(usage=True, corrections=("person.phone",)),
    "cases": Cases(kinds=("wrong_person", "correction_request"), sources=("portal",)),
}

_STATE = """
select record.attach_source('portal');
insert into record.person (source, stream, source_key, full_name, phone, religion, stated_at)
values ('portal', 's', %(person)s, 'Nguyễn Thị An', '+84912345678', '01', now());
insert into truth.link (source, stream, source_key, person_key, method)
values ('portal', 's', %(person)s, %(person)s, 'personal_id');
insert into record.dossier (source, stream, source_key, code, procedure_code, status, owner_personal_id,
    decided_at, stated_at)
values ('portal', 'dossiers', %(person)s, 'H01-' || %(number)s, '1.004194', 'returned', %(number)s, now(),
    now());
insert into record.document (source, stream, source_key, file_id, component_code, digitised, reusable,
    from_repository, stated_at)
values ('portal', 'dossiers', %(person)s, 'TDK1', 'TP02', true, true, false, now());
"""


@pytest.fixture
def reach(editable: Settings, database: Connection) -> Callable[..., Agreement]:
    """Build the wall with an agreement changed: `reach("hanoi-one-stop", papers=True)`; give it."""

    def make(name: str, **changes: Any) -> Agreement:
        agreement = load_agreements(editable)[name].model_copy(update=changes)
        Catalogues(editable.mappings).place(agreement)
        every = load_agreements(editable) | {name: agreement}
        build_database_access(database, every, encrypted_attributes(editable))
        return agreement

    return make


@dataclass
class Login:
    """The API, which asks under agreements: by a request about one person, or about nobody."""

    connection: Connection
    owner: Connection
    keys: ProofKeys

    def ask(self, under: Agreement, statement: str, **named: Any) -> list[dict[str, Any]]:
        """Return what a statement gives in a request about a person, by default the one that it names."""
        values = self._open(under, **named)
        with self.connection:
            return rows_as(self.connection, under, statement, values)

    def write(self, under: Agreement, table: Table, row: dict[str, Any], **named: Any) -> dict[str, Any]:
        """Write a proven row in such a request."""
        request_id = uuid.uuid4()
        self._open(under, request_id=request_id, **named)
        with self.connection, proving(self.keys, request_id):
            return insert(self.connection, table, row)

    def _open(
        self,
        under: Agreement,
        *,
        about: str | None = None,
        action: str = "prefill",
        request_id: uuid.UUID | None = None,
        **values: Any,
    ) -> dict[str, Any]:
        about = about or values.get("person")
        with self.owner, self.owner.cursor() as cursor:
            cursor.execute(
                "insert into share.client (client_id, agreement) values (%(name)s, %(name)s) "
                "on conflict do nothing",
                {"name": under.name},
            )
            cursor.execute("select personal_id from truth.person where person_key = %s", (about,))
            numbers = cursor.fetchall() or [("001084000000",)]
        search = {"person.personal_id": numbers[0][0]} if about else None
        attributes = under.attributes[:1] if about else ()
        question = Question(action, search, attributes, partly=True, case_id=values.get("case"))
        Asking(self.connection, self.keys, under.name, request_id or uuid.uuid4()).open(question)
        return values


@pytest.fixture
def login(settings: Settings, database: Connection) -> Iterator[Login]:
    with closing(connect(api_login(settings))) as connection:
        yield Login(connection, database, proof_keys(settings))


@pytest.fixture
def held(
    editable: Settings, database: Connection, believe: Callable[..., str], entry: Callable[..., Entry]
) -> Callable[..., str]:
    """Somebody of whom the hub has all there is, also what they have asked for; gives their key."""
    bank = load_agreements(editable)["bank-accounts"]

    def hold(number: str, address: dict[str, Any]) -> str:
        person = believe(
            personal_id=number,
            full_name="Nguyễn Thị An",
            phone="+84912345678",
            religion="01",
            permanent_address=address,
        )
        with database, database.cursor() as cursor:
            cursor.execute(_STATE, {"person": person, "number": number})
            for attribute in ("phone", "religion"):
                request_correction(database, person, Correction(attribute, "other", "changed", None))
            record_consent(
                database,
                bank,
                person,
                ["person.full_name"],
                text=ShownText("1", "a" * 64),
                given_at=datetime.now(UTC),
                proof=Proof("vneid", f"of {person}", None, "portal", "provider"),
            )
            write(database, entry(person=f"pseudonym of {person}"))
        return person

    return hold


# What is told by a person's key, and to which action.
BY_KEY = {
    "papers": (
        "prefill",
        "select file from {share}.reusable_papers(%(person)s, "
        '\'[{{"place": 0, "component": "TP02", "procedures": ["1.004194"]}}]\')',
    ),
    "sources": (
        "prefill",
        "select * from {share}.agreeing_sources(%(person)s, '{{full_name,phone,religion}}')",
    ),
    "disputed": ("prefill", "select unnest({truth}.disputed_by_owner(%(person)s)) as name"),
    "consents": ("consent", "select agreement from {share}.consents_of(%(person)s, '{{bank-accounts}}')"),
    "requests": ("correction_request", "select attribute, claimed from {truth}.requests_of(%(person)s)"),
    "keys": ("usage", "select unnest({truth}.own_keys(%(person)s))::text as key"),
    "usage": (
        "usage",
        "select total from {audit}.usage_of(array[%(person)s]::uuid[], array['pseudonym of ' || %(person)s], "
        "'-infinity', 'infinity', '{{}}', '{{}}', '{{}}', 0, 50)",
    ),
}


def _told(login: Login, under: Agreement, person: str, about: str | None = None) -> dict[str, Any]:
    """All that requests about a person, by default the same one, are told by a person's key."""
    told = {
        what: login.ask(under, statement, about=about or person, action=action, person=person)
        for what, (action, statement) in BY_KEY.items()
    }
    return told | {"correction": _corrected(login, under, person, "phone", about=about or person)}


def _corrected(
    login: Login, under: Agreement, person: str, attribute: str, about: str | None = None
) -> str | None:
    """What comes of a request for correction."""
    asked = {"person": person, "attribute": attribute, "value": "other", "why": "changed", "document": None}
    row = asked | {"open": 5, "recent": 10, "within": "1 day"}
    named = {"about": about or person, "action": "correction_request"}
    try:
        outcome: str | None = login.write(under, "truth.correction_request", row, **named).get("outcome")
    except StoreError:
        # Of somebody whom the agreement does not have no request is open.
        login.connection.rollback()
        return None
    return outcome


def test_a_request_is_told_of_its_person_and_of_no_others(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str]
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    city = reach("hanoi-one-stop", **REACHES)
    assert _told(login, city, an) == {
        "papers": [{"file": "TDK1"}],
        # The agreement has no religion.
        "sources": [{"attribute": "full_name", "sources": 1}, {"attribute": "phone", "sources": 1}],
        "disputed": [{"name": "phone"}],
        "consents": [{"agreement": "bank-accounts"}],
        # Theirs, through whichever agreement they were made.
        "requests": [
            {"attribute": "religion", "claimed": "other"},
            {"attribute": "phone", "claimed": "other"},
        ],
        "keys": [{"key": an}],
        "usage": [{"total": 1}],
        "correction": "same",
    }
    for person, about in ((binh, binh), (binh, an), (str(uuid.UUID(int=9)), str(uuid.UUID(int=9)))):
        told = _told(login, city, person, about)
        assert {what: rows for what, rows in told.items() if rows} == {}
    with login.connection:
        none = [rows_as(login.connection, city, each, {"person": an}) for _, each in BY_KEY.values()]
    assert [rows for rows in none if rows] == []


@pytest.mark.parametrize(
    ("lacks", "untold"),
    [
        ({"papers": False}, {"papers"}),
        ({"procedures": ()}, {"papers", "sources", "disputed"}),
        ({"records_consent_for": ()}, {"consents"}),
        ({"citizen_view": None}, {"requests", "keys", "usage", "correction"}),
        ({"citizen_view": CitizenView(corrections=("person.phone",))}, {"keys", "usage"}),
    ],
)
def test_what_the_agreement_does_not_entitle_to_is_not_told(
    reach: Callable[..., Agreement],
    login: Login,
    held: Callable[..., str],
    lacks: dict[str, Any],
    untold: set[str],
) -> None:
    an = held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES | lacks)
    assert {what for what, rows in _told(login, city, an).items() if not rows} == untold


def test_of_people_who_must_consent_what_they_consent_to_is_told(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str]
) -> None:
    an = held("001084000999", IN_HANOI)
    bank = reach("bank-accounts", procedures=("1.004222",))
    agreeing = "select attribute from {share}.agreeing_sources(%(person)s, '{{full_name,phone}}')"
    disputed = "select {truth}.disputed_by_owner(%(person)s) as names"
    assert login.ask(bank, agreeing, person=an) == [{"attribute": "full_name"}]
    assert login.ask(bank, disputed, person=an) == [{"names": []}]


def test_an_action_is_told_what_is_its_own(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str]
) -> None:
    an = held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES)
    proven = "select 1 as one from {share}.consent_proven_by('bank-accounts', 'vneid', 'of ' || %(person)s)"
    assert login.ask(city, proven, person=an, action="consent") == [{"one": 1}]
    assert login.ask(city, proven, person=an, action="usage") == []
    _, usage = BY_KEY["usage"]
    assert login.ask(city, usage, person=an, action="prefill") == []
    for of_others in ("select * from {share}.notice", "select * from {truth}.case_state"):
        assert login.ask(city, of_others, about=an, action="prefill") == []


def test_a_correction_is_asked_only_of_what_the_agreement_takes_requests_for(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str]
) -> None:
    an = held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES)
    # Believed or not is not told either: it would make every value one that can be guessed.
    for attribute in ("full_name", "religion", "person_key"):
        assert _corrected(login, city, an, attribute) is None
    assert _corrected(login, city, an, "phone") == "same"


def test_usage_is_of_one_person_and_the_people_merged_into_them(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str], database: Connection
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    city = reach("hanoi-one-stop", **REACHES)
    use = (
        "select total from {audit}.usage_of(%(keys)s::uuid[], %(pseudonyms)s::text[], '-infinity', "
        "'infinity', '{{}}', '{{}}', '{{}}', 0, 1)"
    )

    def total(*keys: str) -> list[int]:
        pseudonyms = [f"pseudonym of {key}" for key in keys]
        rows = login.ask(city, use, about=an, action="usage", keys=list(keys), pseudonyms=pseudonyms)
        return [row["total"] for row in rows]

    assert total(an) == [1]
    assert total(an, binh) == total(binh, an) == total(binh) == total() == []
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into truth.link (source, stream, source_key, person_key, method) "
            "select 'population', 'citizens', person, person::uuid, 'register' from unnest(%s) as person",
            ([an, binh],),
        )
        cursor.execute(
            "insert into truth.merge_decision (person_key, merged_into, verdict, reason, decided_by) "
            "values (%s, %s, 'one', 'seen', 'clerk')",
            (binh, an),
        )
    assert total(an, binh) == [2]


def _insert(agreement: str, person: str) -> dict[str, Any]:
    values = {"consent_id": str(uuid.uuid4()), "person_key": person, "agreement": agreement}
    return values | {
        "agency": "0100000003",
        "purpose": "dpv:IdentityVerification",
        "attributes": ["person.phone"],
        "text_version": "1",
        "text_digest": "a" * 64,
        "given_at": datetime.now(UTC),
        "channel": "vneid",
        "reference": str(uuid.uuid4()),
        "officer": None,
        "recorded_by": "x",
    }


def _inserting(table: str, values: dict[str, Any]) -> str:
    names = ", ".join(values)
    given = ", ".join(f"%({name})s" for name in values)
    return f"insert into {table} ({names}) values ({given}) returning 1 as one"


def _write(database: Connection, table: str, values: dict[str, Any]) -> None:
    with database, database.cursor() as cursor:
        cursor.execute(_inserting(table, values), values)


def test_consents_are_recorded_of_the_person_asked_about_to_agreements_that_may_be_recorded_for(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str], database: Connection
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    city = reach("hanoi-one-stop", **REACHES)

    given = _insert("bank-accounts", an)
    login.write(city, "share.consent", given, about=an, action="consent")
    for wrong, action in (
        (_insert("bank-accounts", binh), "consent"),
        (_insert("tax-registration", an), "consent"),
        (_insert("bank-accounts", an), "prefill"),
    ):
        with pytest.raises((psycopg2.errors.WithCheckOptionViolation, StoreError)):
            login.write(city, "share.consent", wrong, about=an, action=action)
        login.connection.rollback()
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _write(login.connection, "share.consent", wrong)
    tax = _insert("tax-registration", an)
    _write(database, "share.consent", tax)
    withdrawal = {"withdrawn_at": datetime.now(UTC), "channel": "vneid", "reference": "r", "recorded_by": "x"}
    own, others = ({"consent_id": each["consent_id"]} | withdrawal for each in (given, tax))
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
        login.write(city, "share.consent_withdrawal", others, action="consent")
    login.connection.rollback()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _write(login.connection, "share.consent_withdrawal", own)
    login.write(city, "share.consent_withdrawal", own, action="consent")
    find = "select agreement from {share}.consent_of(%(id)s, '{{bank-accounts,tax-registration}}')"
    assert login.ask(city, find, action="consent", id=given["consent_id"]) == [{"agreement": "bank-accounts"}]
    assert login.ask(city, find, action="consent", id=tax["consent_id"]) == []
    for table in ("consent", "consent_withdrawal"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            login.ask(city, f"select * from {{share}}.{table}", action="consent")
        login.connection.rollback()


def test_cases_are_seen_and_decided_as_far_as_the_agreement_has_them(
    reach: Callable[..., Agreement], login: Login, held: Callable[..., str], database: Connection
) -> None:
    held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES)
    with database, database.cursor() as cursor:
        # Requests are of the register's values unless another source is believed.
        cursor.execute("update truth.case_file set source = 'portal'")
        cursor.execute(
            "insert into truth.case_file (kind, source, stream, source_key, evidence) "
            "values ('wrong_person', 'tax', 's', '1', '{}')"
        )
        cursor.execute("select coalesce(evidence ->> 'attribute', source), case_id from truth.case_file")
        number = dict(cursor.fetchall())
    listed = login.ask(city, "select case_id from {truth}.case_state order by case_id", action="case")
    assert [row["case_id"] for row in listed] == [number["phone"], number["religion"]]
    content = "select evidence ->> 'attribute' as what from {truth}.case_content(%(case)s)"
    for what, told in (("phone", [{"what": "phone"}]), ("religion", []), ("tax", [])):
        assert login.ask(city, content, action="case", case=number[what]) == told

    def decision(what: str) -> dict[str, Any]:
        said = {"case_id": number[what], "verdict": "reject", "person_key": None, "follows": None}
        return said | {"reason": f"about {what}", "decided_by": "clerk"}

    login.write(city, "truth.decision", decision("phone"), action="case", case=number["phone"])
    for what, opened in (("religion", "religion"), ("religion", "phone"), ("tax", "tax")):
        said = decision(what) | ({"verdict": "different"} if what == "tax" else {})
        with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
            login.write(city, "truth.decision", said, action="case", case=number[opened])
        login.connection.rollback()
    _write(database, "truth.decision", decision("religion"))
    reasons = "select reason from {truth}.decision"
    assert login.ask(city, reasons, action="case", case=number["phone"]) == [{"reason": "about phone"}]
    assert login.ask(city, reasons, action="case", case=number["religion"]) == []
    for hidden in ("select * from truth.case_state", "select * from truth.decision"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), login.connection.cursor() as cursor:
            cursor.execute(hidden)
        login.connection.rollback()


def test_a_form_is_of_the_agreement_under_which_it_was_filled(
    reach: Callable[..., Agreement], login: Login, database: Connection
) -> None:
    city = reach("hanoi-one-stop", **REACHES)
    with database, database.cursor() as cursor:
        cursor.execute(
            "insert into share.client (client_id, agreement) values (%s, %s)", (city.name, city.name)
        )
        for number, agreement in enumerate((city.name, "portal-essential")):
            cursor.execute(
                "insert into share.prefill (request_id, client_id, agreement, procedure, person, form_of, "
                "filled, confirm, missing_items) "
                "values (%s, %s, %s, 'p', 'pseudonym', now(), '{}', '{}', '{}')",
                (str(uuid.UUID(int=number)), city.name, agreement),
            )
    find = "select person from {share}.opened_form(%(request)s::uuid, %(client)s, %(agreement)s)"

    def found(number: int, agreement: str, action: str = "submission") -> list[dict[str, Any]]:
        values = {"request": str(uuid.UUID(int=number)), "client": city.name, "agreement": agreement}
        return login.ask(city, find, action=action, **values)

    assert found(0, city.name) == [{"person": "pseudonym"}]
    assert found(1, "portal-essential") == found(1, city.name) == found(0, "portal-essential") == []
    assert found(0, city.name, "prefill") == []
