"""A procedure's form answered from what is held: what is filled, which papers are there, what is to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from oncehub.model.errors import PersonNotLiving
from oncehub.model.procedures import Item, Procedure
from oncehub.model.sharing import Agreement
from oncehub.share.lookup import Believed, Person, Withheld, find_person
from oncehub.share.papers import PAPER_ATTRIBUTES, KeptPaper, find_papers
from oncehub.share.relatives import LIFE_STATUS, covered, find_relatives, living, tie, wanted_of
from oncehub.share.sureness import Support, Sureness, SurenessRules, find_support, sureness
from oncehub.store.connection import Connection

Reason = Literal[
    "asked",
    "not_known",
    "conflicting",
    "too_old",
    "not_allowed",
    "needs_consent",
    "relative_unknown",
    "relative_not_living",
]
"""Why an item is asked: it always is; nothing is held; sources disagree; stated too long ago; outside the
agreement; the citizen has not consented; nobody is held as the relative; who is, is not held as living."""


@dataclass(frozen=True)
class FormRequest:
    """Which form is asked for: of a procedure, for a dossier of `day`, on behalf of an agreement."""

    procedure: Procedure
    day: date
    agreement: Agreement

    @property
    def fields(self) -> dict[str, Item]:
        """The items that the form of the day has."""
        return self.procedure.items_on(self.day)


@dataclass(frozen=True)
class FilledItem:
    """An item filled from the hub.

    Attributes:
        title: of the item, in Vietnamese.
        as_of: when the source stated the value, ISO 8601 UTC.
        sure: how sure it is.
        confirm: the citizen must confirm it.
        disputed: a source without authority states another value, or the person whose it is says that it is
            wrong, which is then to be confirmed whatever the procedure says.
    """

    title: str
    value: Any
    source: str | None
    as_of: str | None
    sure: Sureness
    confirm: bool
    disputed: bool


@dataclass(frozen=True)
class AskedItem:
    """An item that the citizen must still give; `question` is its wording where the procedure has one."""

    title: str
    reason: Reason
    question: str | None = None


@dataclass(frozen=True)
class SparedPaper:
    """A paper that need not be handed in again, and the earlier one that is there."""

    title: str
    kept: KeptPaper


@dataclass(frozen=True)
class FilledForm:
    """A procedure's form for one person; every item of the version is in `items`, `papers` or `ask`.

    Attributes:
        person_key: whose; never leaves the hub.
        released: qualified names of what of the person filled items, led to a relative or referred to a
            paper, sorted.
        relatives: key of each relative consulted -> qualified names of theirs that left, sorted.
    """

    person_key: str
    items: dict[str, FilledItem]
    papers: dict[str, SparedPaper]
    ask: dict[str, AskedItem]
    released: tuple[str, ...]
    relatives: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Known:
    """What fills an item: whose attribute it is, and what is believed of it."""

    person_key: str
    attribute: str
    believed: Believed


def find_for_form(
    connection: Connection, request: FormRequest, search: Mapping[str, str]
) -> Person | Withheld | None:
    """Return the person with their life status and what the form may hold; see `find_person`."""
    wanted = wanted_of(request.fields.values(), request.agreement)
    attributes = sorted(wanted | {LIFE_STATUS})
    return find_person(connection, request.agreement, search, attributes, partly=True)


def require_living(person: Person) -> None:
    """Check that a form may be opened for the person.

    Raises:
        PersonNotLiving: when the person is believed deceased or missing.
    """
    if not living(person):
        raise PersonNotLiving("the register does not hold this person as living; no form can be filled")


def prefill(connection: Connection, person: Person, request: FormRequest, rules: SurenessRules) -> FilledForm:
    """Answer a form for a person that `find_for_form` found; only what the agreement covers."""
    fields, agreement = request.fields, request.agreement
    relatives = find_relatives(connection, person, fields.values(), agreement)
    kept = find_papers(connection, agreement, person.key, fields)
    known: dict[str, _Known] = {}
    ask: dict[str, AskedItem] = {}
    for name, item in fields.items():
        answer = _answer(item, person, relatives, agreement)
        if isinstance(answer, _Known):
            known[name] = answer
        elif name not in kept:
            ask[name] = answer
    told = _told(fields, known, ask, person, relatives)
    told[person.key] |= set(PAPER_ATTRIBUTES) if kept else set()
    left = {key: tuple(sorted(attributes)) for key, attributes in told.items()}
    return FilledForm(
        person_key=person.key,
        items=_filled(connection, request, known, rules),
        papers={name: SparedPaper(fields[name].title.vi, paper) for name, paper in kept.items()},
        ask=ask,
        released=left.pop(person.key),
        relatives=left,
    )


def _answer(
    item: Item, person: Person, relatives: Mapping[str, Person | None], agreement: Agreement
) -> _Known | AskedItem:
    title = item.title.vi
    if item.attribute is None:
        return AskedItem(title, "asked", item.ask.vi if item.ask else None)
    if not covered(item, agreement):
        return AskedItem(title, "not_allowed")
    if item.of:
        relative = relatives[item.of]
        if relative is None:
            return AskedItem(title, _why_nobody(person.attributes[tie(item.of)]))
        if not item.even_if_deceased and not living(relative):
            return AskedItem(title, "relative_not_living")
        person = relative
    believed = person.attributes[item.attribute]
    if reason := _why_asked(believed, item.max_age):
        return AskedItem(title, reason)
    return _Known(person.key, item.attribute, believed)


def _why_nobody(named: Believed) -> Reason:
    return "relative_unknown" if named.stands else "conflicting"


def _why_asked(believed: Believed, max_age: timedelta | None) -> Reason | None:
    if not believed.consented:
        return "needs_consent"
    if believed.value is None:
        return "not_known"
    if not believed.stands:
        return "conflicting"
    if max_age and (believed.as_of is None or _age(believed.as_of) > max_age):
        return "too_old"
    return None


def _age(as_of: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(as_of)


def _filled(
    connection: Connection, request: FormRequest, known: Mapping[str, _Known], rules: SurenessRules
) -> dict[str, FilledItem]:
    wanted: dict[str, set[str]] = {}
    for each in known.values():
        wanted.setdefault(each.person_key, set()).add(each.attribute)
    support = find_support(connection, request.agreement, wanted, rules)
    return {
        name: _item(request.fields[name], each, support[each.person_key, each.attribute], rules)
        for name, each in known.items()
    }


def _item(item: Item, known: _Known, support: Support, rules: SurenessRules) -> FilledItem:
    believed = known.believed
    return FilledItem(
        title=item.title.vi,
        value=believed.value,
        source=believed.source,
        as_of=believed.as_of,
        sure=sureness(believed, known.attribute, support.sources, rules),
        confirm=item.confirm or support.disputed_by_owner,
        disputed=believed.disputed or support.disputed_by_owner,
    )


def _told(
    fields: Mapping[str, Item],
    known: Mapping[str, _Known],
    asked: Mapping[str, AskedItem],
    person: Person,
    relatives: Mapping[str, Person | None],
) -> dict[str, set[str]]:
    """Return what left of the person, and of each relative; a reason may tell that one is not living."""
    told: dict[str, set[str]] = {person.key: set()}
    for relation, relative in relatives.items():
        if relative:
            told[person.key].add(tie(relation))
            told.setdefault(relative.key, set())
    for each in known.values():
        told[each.person_key].add(each.attribute)
    for name, answer in asked.items():
        relative = relatives.get(fields[name].of or "")
        if relative and answer.reason == "relative_not_living":
            told[relative.key].add(LIFE_STATUS)
    return told
