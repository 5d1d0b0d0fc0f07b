"""Cases: what rules leave to a clerk, with the evidence side by side, and how it is decided.

Runs open and close them (`cases.sql`). What a decision does, and what it may not do, the database holds
(`store/routines/truth/decisions.sql`): it follows the last one that its clerk has seen, so that of two clerks
at once one decides; where rules want four eyes, the first has no effect until another clerk says the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor

from oncehub.config.rules import CaseKind
from oncehub.errors import CaseNotFound, DecisionRefused
from oncehub.reconcile.linking.overrides import Word, ruling
from oncehub.reconcile.matching.evidence import Candidate, candidates_of
from oncehub.reconcile.rules.rulebook import Rulebook
from oncehub.store.connection import Connection, Cursor

HUB: Final = "truth"
"""The schema in which all cases are seen."""

Said = Literal["same", "different", "other", "uphold", "reject"]

_KEEP_RULES: Final = """
with given as (
    select * from jsonb_to_recordset(%(rules)s) as r(kind text, four_eyes boolean)
)
insert into truth.case_rule (kind, four_eyes)
select kind, four_eyes
from given g
where not exists (
    select from truth.case_rule o where (o.kind, o.four_eyes) = (g.kind, g.four_eyes)
)
on conflict (kind) do update set four_eyes = excluded.four_eyes
"""

_LIST: Final = """
select case_id, kind, source, stream, opened_at, closed_at, closed_because, four_eyes, decision_id, upheld_by
from {schema}.case_state
where case_id > %(after)s
    and (%(closed)s or closed_at is null)
    and (%(kinds)s::text[] is null or kind = any(%(kinds)s))
    and (%(sources)s::text[] is null or source = any(%(sources)s))
order by case_id
limit %(limit)s
"""

_STATE: Final = """
select case_id, kind, source, stream, opened_at, closed_at, closed_because, four_eyes, decision_id, upheld_by
from {schema}.case_state
where case_id = %s
"""

_CONTENT: Final = "select source_key, stated, evidence, named::text[] from {content}(%(case_id)s)"

_DECISIONS: Final = """
select decision_id, verdict, person_key::text, reason, decided_by, decided_at, takes_effect, follows
from {schema}.decision
where case_id = %s
order by decision_id
"""

_BELIEVED: Final = """
select person_key::text, to_jsonb(p) as believed, provenance
from {people} p
"""

# Of a correction request; what was claimed stands beside what is believed.
_TOLD: Final = ("attribute", "why", "document")

_DECIDE: Final = """
insert into {schema}.decision (case_id, verdict, person_key, reason, decided_by, follows)
values (%s, %s, %s::uuid, %s, %s, %s)
returning decision_id
"""


@dataclass(frozen=True)
class Case:
    """One question to a clerk.

    Attributes:
        case_id: its number, for as long as it is open.
        opened_at: since when.
        closed_because: `decided`; `settled` when what was stated since leaves nothing to decide; `corrected`
            when what a citizen has asked for is believed.
        four_eyes: a decision has no effect until another clerk has confirmed it.
        decision_id: the last decision on it, which the next one must follow.
        upheld_by: of a correction request, the decision that has upheld it: it waits for its source.
    """

    case_id: int
    kind: CaseKind
    source: str
    stream: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: Literal["decided", "settled", "corrected"] | None
    four_eyes: bool
    decision_id: int | None
    upheld_by: int | None


@dataclass(frozen=True)
class Decision:
    """What a clerk has decided on a case.

    Attributes:
        verdict: the record speaks of `person_key`, whom the case names (`same`) or not (`other`), or of none
            of those named (`different`); of a correction request `uphold` or `reject`.
        takes_effect: false while another clerk must confirm it.
        follows: the decision that the clerk had before them.
    """

    decision_id: int
    verdict: Said
    person_key: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    takes_effect: bool
    follows: int | None


@dataclass(frozen=True)
class Held:
    """One person's believed value, whose word it is and as of when; `equals`: the record states the same."""

    value: Any
    source: str | None
    as_of: str | None
    equals: bool


@dataclass(frozen=True)
class Compared:
    """What the record states of an attribute, and what is believed of each person named, in their order."""

    attribute: str
    stated: Any
    believed: tuple[Held, ...]


@dataclass(frozen=True)
class CaseFile:
    """A case with all that a clerk needs to decide it.

    Attributes:
        source_key: key of the record at its source.
        stated_at: when the source stated it; None when the record is gone.
        people: keys of the people whom the case names, the most probable first.
        evidence: as it was when the case arose: what it rests on; of a model's, see `candidates`.
        compared: side by side, every attribute that either side has.
        candidates: what speaks for and against each person in the eyes of the model that asks.
        decisions: the first first.
    """

    case: Case
    source_key: str
    stated_at: str | None
    people: tuple[str, ...]
    evidence: dict[str, Any]
    compared: tuple[Compared, ...]
    candidates: tuple[Candidate, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class CaseContent:
    """What a case is about, as the database gives it.

    Attributes:
        source_key: key of the record at its source.
        stated: what the record states, by attribute; empty when it is gone.
        evidence: as it was when the case arose.
        named: keys of the people whom the case names.
        believed: rows of `truth.person`, by key.
    """

    source_key: str
    stated: dict[str, Any]
    evidence: dict[str, Any]
    named: list[str]
    believed: dict[str, dict[str, Any]]


_ALL_CONTENT: Final = sql.SQL("truth.case_content")
_ALL_PEOPLE: Final = sql.SQL(
    "(select person.* from truth.person, truth.case_content(%(case_id)s) c where person_key = any(c.named))"
)


def read_content(
    cursor: RealDictCursor,
    case_id: int,
    content: sql.Composable = _ALL_CONTENT,
    people: sql.Composable = _ALL_PEOPLE,
) -> CaseContent:
    """Read what a case is about, all of it, or as far as some function of the database gives it.

    Args:
        cursor: gives rows by name.
        case_id: number of a case that there is.
        content: the function that gives its content.
        people: what gives the rows of the people whom it names, for `%(case_id)s`.

    Raises:
        CaseNotFound: when the function gives none of that number.
    """
    values = {"case_id": case_id}
    cursor.execute(sql.SQL(_CONTENT).format(content=content), values)
    row: dict[str, Any] | None = cursor.fetchone()
    if row is None:
        raise CaseNotFound(f"there is no case {case_id}")
    cursor.execute(sql.SQL(_BELIEVED).format(people=people), values)
    believed = {person["person_key"]: dict(person) for person in cursor.fetchall()}
    return CaseContent(row["source_key"], row["stated"] or {}, row["evidence"], row["named"], believed)


def keep_case_rules(cursor: Cursor, rules: Rulebook) -> None:
    """Bring `truth.case_rule`, which the database holds decisions to, in line with the rules."""
    given = [{"kind": kind, "four_eyes": rule.four_eyes} for kind, rule in rules.cases.kinds.items()]
    cursor.execute(_KEEP_RULES, {"rules": Json(given)})


def list_cases(
    connection: Connection,
    *,
    kinds: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    closed: bool = False,
    after: int = 0,
    limit: int = 100,
    schema: str = HUB,
) -> list[Case]:
    """Give cases by number, hence the oldest first, and nothing of what they are about.

    Args:
        connection: one that may read `case_state` of the schema.
        kinds: only these; all where None.
        sources: of these sources' records only.
        closed: those that are closed, too.
        after: only those above this number.
        limit: at most so many.
        schema: where cases are seen: `HUB`, or that of an agreement.
    """
    values = {
        "kinds": None if kinds is None else list(kinds),
        "sources": None if sources is None else list(sources),
        "closed": closed,
        "after": after,
        "limit": limit,
    }
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_seen_in(schema, _LIST), values)
        return [Case(**row) for row in cursor.fetchall()]


def find_case(connection: Connection, case_id: int, schema: str = HUB) -> Case:
    """Give one case without what it is about; see `list_cases`.

    Raises:
        CaseNotFound: when there is none of that number.
    """
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_seen_in(schema, _STATE), (case_id,))
        row = cursor.fetchone()
    if row is None:
        raise CaseNotFound(f"there is no case {case_id}")
    return Case(**row)


def open_case_file(
    connection: Connection,
    case_id: int,
    attributes: Collection[str],
    content: CaseContent | None = None,
    schema: str = HUB,
) -> CaseFile:
    """Give one case with the evidence side by side, as far as it is in `attributes` of the person.

    Args:
        connection: one that may read `case_state` and `decision` of the schema.
        case_id: its number.
        attributes: names of attributes that may be shown.
        content: what the case is about, where the connection may not read that.
        schema: as of `list_cases`.

    Raises:
        CaseNotFound: when there is none of that number.
    """
    case = find_case(connection, case_id, schema)
    if content is None:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            content = read_content(cursor, case_id)
    evidence, stated, believed = content.evidence, content.stated, content.believed
    if case.kind == "correction_request":
        # Of one that was closed long ago the evidence is purged.
        attributes = [name for name in attributes if name == evidence.get("attribute")]
        evidence = {name: evidence[name] for name in _TOLD if name in evidence} if attributes else {}
    candidates = tuple(candidates_of(evidence)) if case.kind == "possible_match" else ()
    people = _ordered(content.named, [each.person_key for each in candidates])
    return CaseFile(
        case=case,
        source_key=content.source_key,
        stated_at=stated.get("stated_at"),
        people=people,
        evidence={name: part for name, part in evidence.items() if name != "candidates"},
        compared=tuple(_compared(attributes, stated, [believed.get(key, {}) for key in people])),
        candidates=candidates,
        decisions=decisions_of(connection, case_id, schema),
    )


def decide(
    connection: Connection,
    case_id: int,
    said: Said,
    word: Word,
    *,
    person_key: UUID | None = None,
    named: Sequence[str] | None = None,
    follows: int | None = None,
    schema: str = HUB,
) -> Decision:
    """Decide a case within the caller's transaction; a refusal leaves that as it was before.

    Where the decision takes effect, the next run links, believes and compares by it.

    Args:
        connection: one that may insert into `decision` of the schema.
        case_id: its number.
        said: see `Decision`.
        word: who decides, and why.
        person_key: of whom the record speaks; None with `different`, and with `same` where one is named.
        named: keys of whom the case names, where the connection may not read that.
        follows: number of the last decision on the case; None for the first.
        schema: as of `list_cases`.

    Raises:
        CaseNotFound: when there is none of that number.
        DecisionRefused: when the case is closed, somebody has decided on it meanwhile, the person is none of
            the register's or does not fit what is said, or the clerk would confirm their own decision.
        RunBusy: when a run links for longer than one waits.
    """
    find_case(connection, case_id, schema)
    with ruling(connection) as cursor:
        whom: UUID | str | None = person_key
        if said == "same" and person_key is None:
            whom = _only_person(case_id, _named(cursor, case_id) if named is None else named)
        decided = (case_id, said, whom and str(whom), word.reason, word.clerk, follows)
        cursor.execute(_seen_in(schema, _DECIDE), decided)
        (decision_id,) = cursor.fetchone() or (0,)
    decisions = decisions_of(connection, case_id, schema)
    return next(each for each in decisions if each.decision_id == decision_id)


def decisions_of(connection: Connection, case_id: int, schema: str = HUB) -> tuple[Decision, ...]:
    """Give the decisions on a case, the first first; see `list_cases`."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_seen_in(schema, _DECISIONS), (case_id,))
        return tuple(Decision(**row) for row in cursor.fetchall())


def _seen_in(schema: str, statement: str) -> sql.Composed:
    return sql.SQL(statement).format(schema=sql.Identifier(schema))


def _only_person(case_id: int, named: Sequence[str]) -> str:
    if len(named) != 1:
        raise DecisionRefused(f"case {case_id} names {len(named)} people; say of whom the record speaks")
    return named[0]


def _named(cursor: Cursor, case_id: int) -> list[str]:
    cursor.execute("select named::text[] from truth.case_content(%s)", (case_id,))
    row = cursor.fetchone()
    return list(row[0]) if row else []


def _ordered(named: Sequence[str], probable: Sequence[str]) -> tuple[str, ...]:
    """The people named, those first whom the model has ranked; who was joined since ranks as nobody."""
    return tuple(dict.fromkeys([*(key for key in probable if key in named), *named]))


def _compared(
    attributes: Collection[str], stated: Mapping[str, Any], people: Sequence[Mapping[str, Any]]
) -> Iterator[Compared]:
    for name in attributes:
        held = tuple(_held(name, stated.get(name), person) for person in people)
        if stated.get(name) is not None or any(each.value is not None for each in held):
            yield Compared(name, stated.get(name), held)


def _held(name: str, stated: Any, person: Mapping[str, Any]) -> Held:
    value = person.get("believed", {}).get(name)
    if value is None:
        return Held(None, None, None, equals=False)
    origin = person["provenance"].get(name) or person["provenance"].get("*", {})
    return Held(value, origin.get("source"), origin.get("as_of"), equals=value == stated)
