"""Looks up one person by identifiers, on behalf of an agreement: asks the database, and is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from psycopg2.extras import Json

from oncehub.config.agreements import Agreement
from oncehub.config.entities import qualified, unqualified
from oncehub.encryption.field_values import decrypted_here, is_encrypted, record_of
from oncehub.errors import StoreError
from oncehub.share.request_proofs import UNPROVEN, ProofKeys, Signed
from oncehub.store.connection import Connection
from oncehub.store.schema_change import READ

WithheldBecause = Literal["population", "consent"]
"""Why a person who was found is withheld."""


@dataclass(frozen=True)
class Believed:
    """The believed value of one attribute; all fields are None where the hub has none.

    Attributes:
        value: text, or an object for a composite, which is always given whole.
        source: that states it.
        as_of: when the source stated it, ISO 8601 UTC.
        rule: the survivorship rule that chose it.
        doubtful: the record that states it is in doubt; see docs/concepts/golden-record.md.
        disputed: another source states, and not as something outdated, a different value.
        consented: false where the person has not consented to the attribute, whose value is withheld then.
    """

    value: Any
    source: str | None = None
    as_of: str | None = None
    rule: str | None = None
    doubtful: bool = False
    disputed: bool = False
    consented: bool = True


@dataclass(frozen=True)
class Person:
    """A person with the attributes asked for, by qualified name (`person.full_name`).

    Attributes:
        key: `truth.person.person_key`; never leaves the hub.
    """

    key: str
    attributes: dict[str, Believed]


@dataclass(frozen=True)
class Withheld:
    """A person who was found and whom the agreement does not cover; that the person exists is withheld too.

    Attributes:
        key: for the access log, and nothing else.
        why: they are outside the agreement's population, or have not consented to what was asked.
    """

    key: str
    why: WithheldBecause


_TRY: Final = """
select share.ask(%(message)s, %(code)s, %(pseudonyms)s), outcome
from share.tell(%(at)s, %(request_id)s::uuid, %(code)s)
"""

_OPEN: Final = f"""
select share.ask(%(message)s, %(code)s, %(pseudonyms)s);
commit;
begin;
{READ};
select part, outcome, key::text, consented, given, provenance, disputed
from share.open(%(at)s, %(request_id)s::uuid, %(step)s, %(code)s, %(items)s)
"""


@dataclass(frozen=True)
class Question:
    """What a request asks the database for, and what the access log says of it beside.

    Attributes:
        action: as the log names it.
        search: qualified attribute -> value, of those in `SEARCHABLE`; None where nobody is sought.
        attributes: qualified names of the person's attributes.
        partly: where a person has consented to some of the agreement's attributes, give them with those; the
            others have no value, and are marked.
        relatives: relation -> attributes of that relative.
        household: attributes of the members of the person's household; None where they are not asked for.
        items: those of a form that are to be answered, see `share.open`; None where no form is opened.
        case_id: the case that is read or decided.
        feed: the sequence of which a page is read, `after` a line, of so many `lines`.
        step: of several questions of one request, which.
        stated: what else the line of the log holds: `client`, `officer`, `procedure` ...
    """

    action: str
    search: Mapping[str, str] | None = None
    attributes: tuple[str, ...] = ()
    partly: bool = False
    relatives: Mapping[str, Collection[str]] | None = None
    household: Collection[str] | None = None
    items: Sequence[Mapping[str, Any]] | None = None
    case_id: int | None = None
    feed: str | None = None
    after: int = 0
    lines: int | None = None
    step: int = 1
    stated: Mapping[str, Any] = field(default_factory=dict)

    def signed(self, keys: ProofKeys, agreement: str, request_id: UUID) -> Signed:
        """Return the question as the database verifies it (`share.question`)."""
        terms = [_identifier(name, value) for name, value in (self.search or {}).items()]
        content = {
            **self.stated,
            "agreement": agreement,
            "action": self.action,
            "pseudonyms": keys.pseudonym_digest,
            "attributes": self.attributes,
            "step": self.step,
        }
        if self.search is not None:
            content["schemes"] = [scheme for scheme, _ in terms]
            content["stated"] = [value for _, value in terms]
            content["partly"] = self.partly
        if self.relatives is not None:
            content["relations"] = {name: sorted(wanted) for name, wanted in self.relatives.items()}
        if self.household is not None:
            content["household"] = sorted(self.household)
        if self.lines is not None:
            content |= {"feed": self.feed, "after": self.after, "lines": self.lines}
        if self.case_id is not None:
            content["case_id"] = self.case_id
        return keys.sign("request", request_id, content)


@dataclass(frozen=True)
class Asked:
    """A question of a request, by whose id it is good once, and the keys that prove it."""

    question: Question
    request_id: UUID
    keys: ProofKeys


class Told(NamedTuple):
    """What the database answers to a look-up: the outcome, and what it tells of one who is found."""

    outcome: str | None
    given: Mapping[str, Any]
    provenance: Mapping[str, Any]
    disputed: Collection[str]


@dataclass(frozen=True)
class Opened:
    """What is known of the people whom an open request is about.

    Attributes:
        person: who was sought.
        relatives: by relation, those who were found.
        members: of the household, where they may be told.
        head_found: whether a head of the household was found; an answer about the household discloses that.
        is_living: whether the person is not believed deceased or missing; told where a form is opened.
        statuses: how each item of the form is answered, as `share.item_status` names it.
        most_members: of a household, beside the person; 0 where no form is opened.
    """

    person: Person | Withheld | None
    relatives: Mapping[str, Person]
    members: tuple[Person, ...]
    head_found: bool
    is_living: bool
    statuses: Sequence[str]
    most_members: int


def told(agreement: Agreement, asked: Asked, answer: Told) -> Person | Withheld | None:
    """Return whom the database tells of, whose key it keeps to itself (`share.look_up`).

    A former personal number finds its person too, unless another person has it now. Answers must not
    distinguish `Withheld` from None. Encrypted values are decrypted inside `decrypting` only.

    Raises:
        StoreError: the database does not take the request as proven.
    """
    if answer.outcome not in _OUTCOMES:
        raise StoreError(UNPROVEN)
    attributes = asked.question.attributes
    row = _Row(answer.outcome, None, attributes, answer.given, answer.provenance, answer.disputed)
    return _told(agreement, asked.question, row)


def open_request(connection: Connection, agreement: Agreement, asked: Asked) -> Opened:
    """Ask, with a line of the access log, commit, and open the request in a new transaction.

    What stands in the schema `ENTITLED` then answers, about the people of the request.

    Raises:
        StoreError: the database does not take the request as proven.
    """
    rows = [(part, _Row(*row)) for part, *row in _answers(connection, agreement, asked, _OPEN)]
    if not rows:
        raise StoreError(UNPROVEN)
    question, relations = asked.question, asked.question.relatives or {}
    of_part = {part: row for part, row in rows if part != _MEMBERS}
    household, form = of_part.get("household"), of_part.get("form")
    answered = (form.given if form else None) or {}
    return Opened(
        person=_told(agreement, question, of_part["person"]),
        relatives={part: row.person(relations[part]) for part, row in rows if part in relations},
        members=tuple(row.person(question.household or ()) for part, row in rows if part == _MEMBERS),
        head_found=household is not None and household.outcome != "relative_unknown",
        is_living=form is not None and form.outcome == "living",
        statuses=answered.get("statuses") or (),
        most_members=answered.get("most_members", 0),
    )


def try_look_up(connection: Connection, agreement: Agreement, asked: Asked) -> None:
    """Ask, in a transaction that the caller rolls back, for a client that is not registered.

    Raises:
        StoreError: the database does not take the request as proven.
    """
    if _answers(connection, agreement, asked, _TRY) != [("not entitled", None)]:
        raise StoreError(UNPROVEN)


_MEMBERS: Final = "household_members"

# Of a look-up; others than these are those of a request that is not proven.
_OUTCOMES: Final = ("found", "nobody", "consent", "population")


class _Row(NamedTuple):
    """A person, or what came of the question about them, as the database tells it."""

    outcome: str | None
    key: str | None
    consented: Collection[str] | None
    given: Mapping[str, Any] | None
    provenance: Mapping[str, Any] | None
    disputed: Collection[str] | None

    def person(self, attributes: Collection[str], unconsented: Collection[str] = ()) -> Person:
        """Return the person with the attributes, some of which they have not consented to."""
        return Person(
            self.key or "",
            {
                name: Believed(None, consented=False) if name in unconsented else self.believed(name)
                for name in attributes
            },
        )

    def believed(self, attribute: str) -> Believed:
        column = unqualified(attribute)
        return believed(column, (self.given or {}).get(column), self.provenance or {}, self.disputed or ())


def _answers(
    connection: Connection, agreement: Agreement, asked: Asked, statement: str
) -> list[tuple[Any, ...]]:
    signed = asked.question.signed(asked.keys, agreement.name, asked.request_id)
    values = {
        "message": signed.message,
        "code": signed.code,
        "at": signed.at,
        "pseudonyms": asked.keys.pseudonym_blocks,
        "request_id": str(asked.request_id),
        "step": asked.question.step,
        "items": None if asked.question.items is None else Json(asked.question.items),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _told(agreement: Agreement, question: Question, row: _Row) -> Person | Withheld | None:
    match row.outcome:
        case None:
            raise StoreError(UNPROVEN)
        case "consent" | "population" as why:
            return Withheld(row.key or "", why)
        case "found":
            return row.person(question.attributes, _unconsented(agreement, row.consented))
        case _:
            return None


def _unconsented(agreement: Agreement, consented: Collection[str] | None) -> set[str]:
    return set(agreement.attributes) - set(consented or ()) if agreement.needs_consent else set()


def _identifier(attribute: str, value: str) -> tuple[str, str]:
    """Return the scheme that `truth.identifier` holds a search term under, and its value.

    A tax code of 12 digits is the personal number (Thông tư 86/2024/TT-BTC).
    """
    scheme = unqualified(attribute)
    return ("personal_id" if scheme == "tax_code" and len(value) == 12 else scheme), value


def believed(column: str, value: Any, provenance: Mapping[str, Any], disputed: Collection[str]) -> Believed:
    """Return the believed value of one column, as `share.look_at` gives it."""
    if value is None:
        return Believed(None)
    origin = provenance.get(column) or provenance.get("*", {})
    if is_encrypted(value):
        value = decrypted_here(qualified(column), record_of(provenance, column), value)
    return Believed(
        value=value,
        source=origin.get("source"),
        as_of=origin.get("as_of"),
        rule=origin.get("rule"),
        doubtful=bool(origin.get("doubtful")),
        disputed=column in disputed,
    )
