"""What an agreement's role is told by a person's key: what its agreement entitles to, of its people."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg2.errors
import pytest
from psycopg2 import sql

from oncehub.api.database import api_login
from oncehub.audit.log.entries import Entry, write
from oncehub.config.agreements import Agreement, Cases, CitizenView, Condition
from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.population import Catalogues
from oncehub.share.consent.consents import Proof, ShownText, record_consent
from oncehub.share.data_subjects.correction_requests import Correction, request_correction
from oncehub.share.roles import role_of, rows_as, schema_of
from oncehub.store.connection import Connection, connect

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

ENTITLED: dict[str, Callable[[Agreement], Any]] = {
    "look_up()": lambda _: True,
    "household_members()": lambda each: "household_members" in each.relatives,
    "agreeing_sources()": lambda each: each.procedures,
    "disputed_by_owner()": lambda each: each.procedures,
    "reusable_papers()": lambda each: each.procedures and each.papers,
    "opened_form()": lambda each: each.submissions,
    "consents_of()": lambda each: each.records_consent_for,
    "consent_of()": lambda each: each.records_consent_for,
    "consent_proven_by()": lambda each: each.records_consent_for,
    "consent: insert": lambda each: each.records_consent_for,
    "consent_withdrawal: insert": lambda each: each.records_consent_for,
    "request_correction()": lambda each: each.citizen_view,
    "requests_of()": lambda each: each.citizen_view,
    "own_keys()": lambda each: each.citizen_view and each.citizen_view.usage,
    "usage_of()": lambda each: each.citizen_view and each.citizen_view.usage,
    "feed_lines()": lambda each: each.feed,
    "notice: select": lambda each: each.corrections,
    "correction_feed: select": lambda each: each.corrections,
    "case_content()": lambda each: each.cases,
    "case_people()": lambda each: each.cases,
    "case_state: select": lambda each: each.cases,
    "decision: select": lambda each: each.cases,
    "decision: insert": lambda each: each.cases,
}

_RIGHTS = """
select r.relname || ': ' || lower(a.privilege_type)
from pg_class r, aclexplode(r.relacl) a
where a.grantee = %(role)s::regrole and r.relnamespace = %(schema)s::regnamespace
union
select r.relname || ': ' || lower(a.privilege_type)
from pg_class r join pg_attribute t on t.attrelid = r.oid, aclexplode(t.attacl) a
where a.grantee = %(role)s::regrole and r.relnamespace = %(schema)s::regnamespace
union
select p.proname || '()'
from pg_proc p, aclexplode(p.proacl) a
where a.grantee = %(role)s::regrole and p.pronamespace = %(schema)s::regnamespace
"""

# What is reached through agreements' schemas, and by whom beside its owner.
_ORIGINALS = """
select original.oid::regprocedure::text, r.rolname
from pg_proc original
join pg_namespace n on n.oid = original.pronamespace and n.nspname in ('audit', 'share', 'truth')
left join pg_roles r on not r.rolsuper and has_function_privilege(r.oid, original.oid, 'execute')
where original.proname in (
    select p.proname
    from pg_proc p join pg_namespace of_agreement on of_agreement.oid = p.pronamespace
    where starts_with(of_agreement.nspname, 'agreement_')
)
"""

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


@pytest.fixture
def login(settings: Settings) -> Iterator[Connection]:
    """A session of the API's login."""
    connection = connect(api_login(settings))
    yield connection
    connection.close()


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


def _asked(login: Connection, under: Agreement, statement: str, **values: Any) -> list[dict[str, Any]]:
    with login:
        return rows_as(login, under, statement, values)


def _told(login: Connection, agreement: Agreement, person: str) -> dict[str, list[dict[str, Any]]]:
    """All that an agreement's role gets by a person's key."""
    statements = {
        "papers": "select file from {share}.reusable_papers(%(person)s, '{{}}', '{{TP02}}', '{{1.004194}}')",
        "sources": "select * from {share}.agreeing_sources(%(person)s, '{{full_name,phone,religion}}')",
        "disputed": "select unnest({truth}.disputed_by_owner(%(person)s)) as name",
        "consents": "select agreement from {share}.consents_of(%(person)s, '{{bank-accounts}}')",
        "requests": "select attribute, claimed from {truth}.requests_of(%(person)s)",
        "keys": "select unnest({truth}.own_keys(%(person)s))::text as key",
        "usage": "select total from {audit}.usage_of(array[%(person)s]::uuid[],"
        " array['pseudonym of ' || %(person)s], '-infinity', 'infinity', '{{}}', '{{}}', '{{}}', 0, 50)",
        "correction": "select outcome from {truth}.request_correction("
        "%(person)s, 'phone', '\"other\"', 'changed', null, 5, 10, '1 day')",
    }
    return {what: _asked(login, agreement, each, person=person) for what, each in statements.items()}


def test_a_role_has_what_its_agreement_entitles_to_and_no_more(
    editable: Settings, database: Connection, reach: Callable[..., Agreement]
) -> None:
    wide = reach("hanoi-one-stop", **REACHES)
    for agreement in (load_agreements(editable) | {wide.name: wide}).values():
        with database, database.cursor() as cursor:
            names = {"role": f'"{role_of(agreement.name)}"', "schema": f'"{schema_of(agreement.name)}"'}
            cursor.execute(_RIGHTS, names)
            given = {right for (right,) in cursor.fetchall()}
        assert given == {right for right, entitled in ENTITLED.items() if entitled(agreement)}, agreement.name


def test_only_the_owner_calls_routines_of_a_schema(
    database: Connection, reach: Callable[..., Agreement]
) -> None:
    reach("hanoi-one-stop", **REACHES)
    with database, database.cursor() as cursor:
        cursor.execute(_ORIGINALS)
        found = cursor.fetchall()
    names = {signature.partition("(")[0] for signature, _ in found}
    assert names == {
        *("audit.usage_of", "share.agreeing_sources", "share.consent_of", "share.consent_proven_by"),
        *("share.consents_of", "share.opened_form", "share.reusable_papers", "truth.disputed_by_owner"),
        *("truth.own_keys", "truth.request_correction", "truth.requests_of", "truth.case_content"),
    }
    assert [each for each in found if each[1] is not None] == []


def test_a_role_reads_its_own_people_and_no_others(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str]
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
        "correction": [{"outcome": "same"}],
    }
    assert {what: told for what, told in _told(login, city, binh).items() if told} == {}
    nobody = _told(login, city, str(uuid.UUID(int=9)))
    assert {what: told for what, told in nobody.items() if told} == {}


def test_of_people_who_must_consent_a_role_reads_what_they_consent_to(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str]
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    bank = reach("bank-accounts", procedures=("1.004222",))
    agreeing = "select attribute from {share}.agreeing_sources(%(person)s, '{{full_name,phone}}')"
    disputed = "select {truth}.disputed_by_owner(%(person)s) as names"
    assert _asked(login, bank, agreeing, person=an) == [{"attribute": "full_name"}]
    assert _asked(login, bank, disputed, person=an) == [{"names": []}]
    with pytest.raises(psycopg2.errors.UndefinedFunction):
        _asked(login, bank, "select * from {truth}.requests_of(%(person)s)", person=binh)


def test_no_role_asks_through_the_schema_of_another(
    reach: Callable[..., Agreement], login: Connection
) -> None:
    city = reach("hanoi-one-stop", **REACHES)
    schema = sql.Identifier(schema_of(city.name))
    for role in ("oncehub_api", role_of("portal-residence"), role_of("tax-registration")):
        for call in (
            "select * from {schema}.requests_of(%(person)s)",
            "select * from {schema}.consents_of(%(person)s, '{{bank-accounts}}')",
            "select {schema}.own_keys(%(person)s)",
        ):
            with login.cursor() as cursor:
                if role != "oncehub_api":
                    cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="schema"):
                    cursor.execute(sql.SQL(call).format(schema=schema), {"person": str(uuid.UUID(int=9))})
            login.rollback()


def test_a_correction_is_asked_only_of_what_the_agreement_takes_requests_for(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str]
) -> None:
    an = held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES)
    ask = (
        "select outcome from {truth}.request_correction("
        "%(person)s, %(attribute)s, '\"Nguyễn Thị An\"', 'changed', null, 5, 10, '1 day')"
    )
    # Believed or not is not told either: it would make every value one that can be guessed.
    for attribute in ("full_name", "religion", "person_key"):
        assert _asked(login, city, ask, person=an, attribute=attribute) == []
    assert _asked(login, city, ask, person=an, attribute="phone") == [{"outcome": "another"}]


def test_usage_is_of_one_person_and_the_people_merged_into_them(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str], database: Connection
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    city = reach("hanoi-one-stop", **REACHES)
    use = (
        "select total from {audit}.usage_of(%(keys)s::uuid[], %(pseudonyms)s::text[], '-infinity', "
        "'infinity', '{{}}', '{{}}', '{{}}', 0, 1)"
    )

    def total(*keys: str) -> list[int]:
        pseudonyms = [f"pseudonym of {key}" for key in keys]
        rows = _asked(login, city, use, keys=list(keys), pseudonyms=pseudonyms)
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


def _write(login: Connection, schema: str, role: str | None, table: str, values: dict[str, Any]) -> None:
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(schema, table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    with login, login.cursor() as cursor:
        if role:
            cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        cursor.execute(statement, values)


def test_consents_are_recorded_of_own_people_to_agreements_that_may_be_recorded_for(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str], database: Connection
) -> None:
    an, binh = held("001084000999", IN_HANOI), held("001084000888", OUTSIDE)
    city = reach("hanoi-one-stop", **REACHES)
    role, schema = role_of(city.name), schema_of(city.name)
    given = _insert("bank-accounts", an)
    _write(login, schema, role, "consent", given)
    for wrong in (_insert("bank-accounts", binh), _insert("tax-registration", an)):
        with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
            _write(login, schema, role, "consent", wrong)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _write(login, "share", None, "consent", wrong)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _write(login, "share", role, "consent", wrong)
    tax = _insert("tax-registration", an)
    _write(database, "share", None, "consent", tax)
    withdrawal = {"withdrawn_at": datetime.now(UTC), "channel": "vneid", "reference": "r", "recorded_by": "x"}
    own, others = ({"consent_id": each["consent_id"]} | withdrawal for each in (given, tax))
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
        _write(login, schema, role, "consent_withdrawal", others)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _write(login, "share", None, "consent_withdrawal", own)
    _write(login, schema, role, "consent_withdrawal", own)
    find = "select agreement from {share}.consent_of(%(id)s, '{{bank-accounts,tax-registration}}')"
    assert _asked(login, city, find, id=given["consent_id"]) == [{"agreement": "bank-accounts"}]
    assert _asked(login, city, find, id=tax["consent_id"]) == []
    proven = "select 1 as one from {share}.consent_proven_by(%(agreement)s, 'vneid', %(reference)s)"
    shown = [
        _asked(login, city, proven, agreement=each["agreement"], reference=each["reference"])
        for each in (given, tax)
    ]
    assert shown == [[{"one": 1}], []]
    for table in ("consent", "consent_withdrawal"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _asked(login, city, f"select * from {{share}}.{table}")


def test_cases_are_seen_and_decided_as_far_as_the_agreement_has_them(
    reach: Callable[..., Agreement], login: Connection, held: Callable[..., str], database: Connection
) -> None:
    held("001084000999", IN_HANOI)
    city = reach("hanoi-one-stop", **REACHES)
    role, schema = role_of(city.name), schema_of(city.name)
    with database, database.cursor() as cursor:
        # Requests are of the register's values unless another source is believed.
        cursor.execute("update truth.case_file set source = 'portal'")
        cursor.execute(
            "insert into truth.case_file (kind, source, stream, source_key, evidence) "
            "values ('wrong_person', 'tax', 's', '1', '{}')"
        )
        cursor.execute("select coalesce(evidence ->> 'attribute', source), case_id from truth.case_file")
        number = dict(cursor.fetchall())
    listed = _asked(login, city, "select case_id from {truth}.case_state order by case_id")
    assert [row["case_id"] for row in listed] == [number["phone"], number["religion"]]

    def decision(what: str) -> dict[str, Any]:
        said = {"case_id": number[what], "verdict": "reject", "person_key": None, "follows": None}
        return said | {"reason": f"about {what}", "decided_by": "clerk"}

    _write(login, schema, role, "decision", decision("phone"))
    _write(database, "truth", None, "decision", decision("religion"))
    _write(database, "truth", None, "decision", decision("tax") | {"verdict": "different"})
    reasons = "select reason from {truth}.decision"
    assert _asked(login, city, reasons) == [{"reason": "about phone"}]
    with database, database.cursor() as cursor:
        cursor.execute("update truth.case_file set closed_at = null, closed_because = null")
    again = decision("religion") | {"follows": None}
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _write(login, "truth", None, "decision", again)
    with database, database.cursor() as cursor:
        cursor.execute("select decision_id from truth.decision where case_id = %s", (number["religion"],))
        ((before,),) = cursor.fetchall()
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
        _write(login, schema, role, "decision", again | {"follows": before})
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), login, login.cursor() as cursor:
        cursor.execute("select * from truth.case_state")


def test_a_form_is_of_the_agreement_under_which_it_was_filled(
    editable: Settings, reach: Callable[..., Agreement], login: Connection, database: Connection
) -> None:
    city = reach("hanoi-one-stop", **REACHES)
    with database, database.cursor() as cursor:
        cursor.execute("insert into share.client (client_id, agreement) values ('one', %s)", (city.name,))
        for number, agreement in enumerate((city.name, "portal-essential")):
            cursor.execute(
                "insert into share.prefill (request_id, client_id, agreement, procedure, person, form_of, "
                "filled, confirm, missing_items) "
                "values (%s, 'one', %s, 'p', 'pseudonym', now(), '{}', '{}', '{}')",
                (str(uuid.UUID(int=number)), agreement),
            )
    find = "select person from {share}.opened_form(%(request)s::uuid, 'one', %(agreement)s)"

    def found(number: int, agreement: str) -> list[dict[str, Any]]:
        return _asked(login, city, find, request=str(uuid.UUID(int=number)), agreement=agreement)

    assert found(0, city.name) == [{"person": "pseudonym"}]
    assert found(1, "portal-essential") == found(1, city.name) == found(0, "portal-essential") == []


def test_whatever_a_role_is_given_it_is_left_with_the_answer(
    reach: Callable[..., Agreement], login: Connection
) -> None:
    city = reach("hanoi-one-stop")
    who = "select current_user::text as who from generate_series(1, %(rows)s)"
    with login, login.cursor() as cursor:
        assert rows_as(login, city, who, {"rows": 1}) == [{"who": role_of(city.name)}]
        for rows in (0, 1, 2):
            assert len(rows_as(login, city, who, {"rows": rows})) == rows
            cursor.execute("select current_user")
            assert cursor.fetchone() == ("oncehub_api",)
