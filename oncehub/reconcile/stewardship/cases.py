"""Cases: the questions that rules leave to clerks, with the evidence side by side, and their decisions.

Runs open and close cases (`sql/settle_cases.sql`). `store/routines/truth/decisions.sql` enforces what a
decision does and may not do: it follows the last decision that its clerk has seen, so that of two
simultaneous decisions one is refused; with four eyes, the first has no effect until another clerk decides the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from oncehub.config.rules import CaseKind
from oncehub.errors import CaseNotFound, DecisionRefused
from oncehub.reconcile.linking.overrides import DecidedBy, deciding
from oncehub.reconcile.matching.evidence import MatchCandidate, candidates_of
from oncehub.store.connection import Connection, Cursor
from oncehub.store.statements import statement

HUB: Final = "truth"
"""The schema in which all cases are visible."""

CaseVerdict = Literal["same", "different", "other", "approve", "reject"]

_OPEN: Final = """
select kind, count(*) from truth.case_file where closed_at is null group by kind order by kind
"""
_LIST: Final = """
select
    case_id, kind, source, stream, opened_at, closed_at, closed_because, four_eyes, decision_id, approved_by
from {schema}.case_state
where case_id > %(after)s
    and (%(closed)s or closed_at is null)
    and (%(kinds)s::text[] is null or kind = any(%(kinds)s))
    and (%(sources)s::text[] is null or source = any(%(sources)s))
order by case_id
limit %(limit)s
"""

_STATE: Final = """
select
    case_id, kind, source, stream, opened_at, closed_at, closed_because, four_eyes, decision_id, approved_by
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
select person_key::text, believed, provenance
from {people} p
"""

# The evidence of a correction request to show; the claimed value is among the compared attributes.
_SHOWN: Final = ("attribute", "why", "document")

_DECIDE: Final = """
insert into truth.decision (case_id, verdict, person_key, reason, decided_by, follows)
values (%(case_id)s, %(verdict)s, %(person_key)s::uuid, %(reason)s, %(decided_by)s, %(follows)s)
returning decision_id
"""


@dataclass(frozen=True)
class Case:
    """One question to a clerk.

    Attributes:
        case_id: its number.
        opened_at: when it arose.
        closed_because: `decided`; `settled` when the records have changed so that nothing is left to decide;
            `corrected` when the value that a citizen claimed is the golden value.
        four_eyes: a decision has no effect until another clerk has confirmed it.
        decision_id: the last decision on it, which the next one must follow.
        approved_by: of a correction request, the decision that approved it: it waits for its source.
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
    approved_by: int | None


@dataclass(frozen=True)
class Decision:
    """A clerk's decision on a case.

    Attributes:
        verdict: the record describes `person_key`, whom the case names (`same`) or does not name (`other`),
            or none of those named (`different`); of a correction request `approve` or `reject`.
        takes_effect: false while another clerk must confirm it.
        follows: the decision that the clerk had seen.
    """

    decision_id: int
    verdict: CaseVerdict
    person_key: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    takes_effect: bool
    follows: int | None


@dataclass(frozen=True)
class GoldenValue:
    """One person's golden value with its source and time; `equals`: the record states the same value."""

    value: Any
    source: str | None
    as_of: str | None
    equals: bool


@dataclass(frozen=True)
class ComparedAttribute:
    """The record's value of an attribute, and the golden values of the people named, in their order."""

    attribute: str
    source_value: Any
    golden_values: tuple[GoldenValue, ...]


@dataclass(frozen=True)
class CaseFile:
    """A case with all that a clerk needs to decide it.

    Attributes:
        source_key: key of the record at its source.
        stated_at: when the source stated it; None when the record is gone.
        people: keys of the people whom the case names, the most probable first.
        evidence: the reason for the case, as it was when it arose; a model's is in `candidates`.
        compared: every attribute that either side has.
        candidates: how the matching model compares each person with the record.
        decisions: in their order.
    """

    case: Case
    source_key: str
    stated_at: str | None
    people: tuple[str, ...]
    evidence: dict[str, Any]
    compared: tuple[ComparedAttribute, ...]
    candidates: tuple[MatchCandidate, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class CaseContent:
    """The content of a case, as the database gives it.

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
    "(select person_key, to_jsonb(person) as believed, provenance "
    "from truth.person, truth.case_content(%(case_id)s) c where person_key = any(c.named))"
)


def read_content(
    cursor: RealDictCursor,
    case_id: int,
    content: sql.Composable = _ALL_CONTENT,
    people: sql.Composable = _ALL_PEOPLE,
) -> CaseContent:
    """Read the content of a case, whole, or as far as a function of the database gives it.

    Args:
        cursor: gives rows by name.
        case_id: number of a case that there is.
        content: the function that gives its content.
        people: the relation of the people whom it names, for `%(case_id)s`.

    Raises:
        CaseNotFound: The function gives none of that number.
    """
    values = {"case_id": case_id}
    cursor.execute(sql.SQL(_CONTENT).format(content=content), values)
    row: dict[str, Any] | None = cursor.fetchone()
    if row is None:
        raise CaseNotFound(f"there is no case {case_id}")
    cursor.execute(sql.SQL(_BELIEVED).format(people=people), values)
    believed = {person["person_key"]: dict(person) for person in cursor.fetchall()}
    return CaseContent(row["source_key"], row["stated"] or {}, row["evidence"], row["named"], believed)


def settle_cases(cursor: Cursor) -> None:
    """Open a case for each question in `asked` and refused link in `verdict`; close those with neither."""
    cursor.execute(statement(__name__, "settle_cases"))


def close_corrected_requests(cursor: Cursor) -> None:
    """Close the correction requests whose claimed value has become the golden value (`golden_change`)."""
    cursor.execute(statement(__name__, "corrected"))


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
    """Return cases by number, hence the oldest first, without their content.

    Args:
        connection: one that may read `case_state` of the schema.
        kinds: only these; all where None.
        sources: of these sources' records only.
        closed: closed cases, too.
        after: only those above this number.
        limit: at most so many.
        schema: `HUB`, or that of an agreement, which shows its cases only.
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


def count_open_cases(connection: Connection) -> dict[str, int]:
    """Count the open cases by kind."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_OPEN)
        return dict(cursor.fetchall())


def find_case(connection: Connection, case_id: int, schema: str = HUB) -> Case:
    """Return one case without its content; see `list_cases`.

    Raises:
        CaseNotFound: There is none of that number.
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
    """Return one case with its content, limited to `attributes` of the person.

    Args:
        connection: one that may read `case_state` and `decision` of the schema.
        case_id: its number.
        attributes: names of attributes that may be shown.
        content: the content, if the connection may not read it.
        schema: as of `list_cases`.

    Raises:
        CaseNotFound: There is none of that number.
    """
    case = find_case(connection, case_id, schema)
    if content is None:
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            content = read_content(cursor, case_id)
    evidence, stated, believed = content.evidence, content.stated, content.believed
    if case.kind == "correction_request":
        # The evidence of a request that was closed long ago is purged.
        attributes = [name for name in attributes if name == evidence.get("attribute")]
        evidence = {name: evidence[name] for name in _SHOWN if name in evidence} if attributes else {}
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
    verdict: CaseVerdict,
    by: DecidedBy,
    *,
    person_key: UUID | None = None,
    named: Sequence[str] | None = None,
    follows: int | None = None,
    schema: str = HUB,
    insert: Callable[[Mapping[str, Any]], int] | None = None,
) -> Decision:
    """Decide a case within the caller's transaction; a refusal leaves that unchanged.

    When the decision takes effect, the next run applies it.

    Args:
        connection: in a transaction.
        case_id: its number.
        verdict: see `Decision`.
        by: who decides, and why.
        person_key: the person that the record describes; None with `different`, and with `same` if one is
            named.
        named: keys of the people named, if the connection may not read them.
        follows: number of the last decision on the case; None for the first.
        schema: as of `list_cases`.
        insert: inserts the row of `truth.decision`, and returns its number; None: with own rights.

    Raises:
        CaseNotFound: There is none of that number.
        DecisionRefused: The case is closed, another clerk has decided meanwhile, the register does not have
            the person or they do not fit the verdict, or the clerk would confirm their own decision.
        RunBusy: A run links for longer than this waits.
    """
    find_case(connection, case_id, schema)
    with deciding(connection) as cursor:
        whom: UUID | str | None = person_key
        if verdict == "same" and person_key is None:
            whom = _only_person(case_id, _named(cursor, case_id) if named is None else named)
        row = {
            "case_id": case_id,
            "verdict": verdict,
            "person_key": whom and str(whom),
            "reason": by.reason,
            "decided_by": by.clerk,
            "follows": follows,
        }
        if insert:
            decision_id = insert(row)
        else:
            cursor.execute(_DECIDE, row)
            (decision_id,) = cursor.fetchone() or (0,)
    decisions = decisions_of(connection, case_id, schema)
    return next(each for each in decisions if each.decision_id == decision_id)


def decisions_of(connection: Connection, case_id: int, schema: str = HUB) -> tuple[Decision, ...]:
    """Return the decisions on a case in their order; see `list_cases`."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_seen_in(schema, _DECISIONS), (case_id,))
        return tuple(Decision(**row) for row in cursor.fetchall())


def _seen_in(schema: str, query: str) -> sql.Composed:
    return sql.SQL(query).format(schema=sql.Identifier(schema))


def _only_person(case_id: int, named: Sequence[str]) -> str:
    if len(named) != 1:
        raise DecisionRefused(
            f"case {case_id} names {len(named)} people; name the one that the record describes"
        )
    return named[0]


def _named(cursor: Cursor, case_id: int) -> list[str]:
    cursor.execute("select named::text[] from truth.case_content(%s)", (case_id,))
    row = cursor.fetchone()
    return list(row[0]) if row else []


def _ordered(named: Sequence[str], probable: Sequence[str]) -> tuple[str, ...]:
    """The people named, ranked by the model; people merged since then have no rank."""
    return tuple(dict.fromkeys([*(key for key in probable if key in named), *named]))


def _compared(
    attributes: Collection[str], stated: Mapping[str, Any], people: Sequence[Mapping[str, Any]]
) -> Iterator[ComparedAttribute]:
    for name in attributes:
        golden = tuple(_golden_value(name, stated.get(name), person) for person in people)
        if stated.get(name) is not None or any(each.value is not None for each in golden):
            yield ComparedAttribute(name, stated.get(name), golden)


def _golden_value(name: str, stated: Any, person: Mapping[str, Any]) -> GoldenValue:
    value = person.get("believed", {}).get(name)
    if value is None:
        return GoldenValue(None, None, None, equals=False)
    origin = person["provenance"].get(name) or person["provenance"].get("*", {})
    return GoldenValue(value, origin.get("source"), origin.get("as_of"), equals=value == stated)
