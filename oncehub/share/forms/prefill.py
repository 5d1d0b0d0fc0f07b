"""Fills a procedure's form from the hub: filled items, papers that are already there, missing items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from oncehub.config.agreements import Agreement
from oncehub.config.entities import unqualified
from oncehub.config.procedures import HOUSEHOLD_MEMBERS, Item, Procedure, relationship_attribute
from oncehub.errors import PersonNotLiving
from oncehub.share.forms.item_values import Known, Reason, members_of, reason, value_of
from oncehub.share.forms.papers import PAPER_ATTRIBUTES, KeptPaper, as_interval, find_papers
from oncehub.share.people.confidence import Confidence, ConfidenceRules, Support, confidence, find_support
from oncehub.share.people.labels import Label, Labels
from oncehub.share.people.lookup import Opened, Person, Question
from oncehub.share.people.relatives import (
    LIFE_STATUS,
    is_covered,
    wanted_of,
    wanted_of_members,
    wanted_of_relatives,
)
from oncehub.store.connection import Connection


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
        value: text, an object for a composite, or of a household a list of objects, one a member, each with
            the item's attributes.
        labels: what a coded value is called, `vi` and `en`; of an address the names of its commune and
            province; of a household one object a member, with labels by attribute. None where there are none.
        source: that states the value; of a list, the source of the part with the lowest confidence.
        as_of: when the source stated the value, ISO 8601 UTC; of a list, what in it is the oldest.
        confidence: in the value; of a list, the lowest of its parts.
        confirm: the citizen must confirm it.
        disputed: a source without authority states another value, or the person says that it is wrong; the
            citizen must then confirm it in any case.
    """

    title: str
    value: Any
    labels: Label | list[dict[str, Label]] | None
    source: str | None
    as_of: str | None
    confidence: Confidence
    confirm: bool
    disputed: bool


@dataclass(frozen=True)
class MissingItem:
    """An item that the citizen must still give; `question` is its wording where the procedure has one."""

    title: str
    reason: Reason
    question: str | None = None


@dataclass(frozen=True)
class ReusablePaper:
    """A paper that need not be handed in again, and the earlier one that is there."""

    title: str
    kept: KeptPaper


@dataclass(frozen=True)
class FilledForm:
    """A procedure's form for one person; each of its items is in `items`, `papers` or `missing_items`.

    Attributes:
        person_key: of the person; never leaves the hub.
        released: qualified names of what of the person filled items, led to a relative or referred to a
            paper, sorted.
        relatives: key of each relative consulted -> qualified names of theirs that left, sorted.
    """

    person_key: str
    items: dict[str, FilledItem]
    papers: dict[str, ReusablePaper]
    missing_items: dict[str, MissingItem]
    released: tuple[str, ...]
    relatives: dict[str, tuple[str, ...]]


def question_for_form(request: FormRequest, action: str, search: Mapping[str, str]) -> Question:
    """Ask for the person with their life status and what the form may hold, and for the others in it."""
    items, agreement = request.fields.values(), request.agreement
    others = action == "prefill"
    return Question(
        action,
        search,
        tuple(sorted(wanted_of(items, agreement) | {LIFE_STATUS})),
        partly=True,
        relatives=wanted_of_relatives(items, agreement) if others else None,
        household=wanted_of_members(items, agreement) if others else None,
        items=_asked(_covered(request).values() if others else ()),
    )


def _covered(request: FormRequest) -> dict[str, Item]:
    return {name: item for name, item in request.fields.items() if is_covered(item, request.agreement)}


def _asked(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Return items as `share.open` reads them."""
    return [
        {
            "place": place,
            "of": item.of,
            "attributes": [unqualified(name) for name in item.fills],
            "even_if_deceased": item.even_if_deceased,
            "max_age": as_interval(item.max_age),
        }
        for place, item in enumerate(items)
    ]


def require_living(opened: Opened) -> None:
    """Check that a form may be opened for the person.

    Raises:
        PersonNotLiving: when the person is believed deceased or missing.
    """
    if not opened.is_living:
        raise PersonNotLiving("the register does not hold this person as living; no form can be filled")


def prefill(
    connection: Connection, opened: Opened, request: FormRequest, rules: ConfidenceRules, labels: Labels
) -> FilledForm:
    """Answer a form for the person whom a request is open about; only what the agreement covers.

    Args:
        connection: in the transaction in which the request is open.
        opened: as `question_for_form` asked for, about somebody who was found.
        request: which form.
        rules: for the confidence in values.
        labels: of coded values.
    """
    fields, agreement = request.fields, request.agreement
    person = opened.person
    assert isinstance(person, Person)
    statuses = dict(zip(_covered(request), opened.statuses, strict=True))
    kept = find_papers(connection, agreement, person.key, fields)
    known: dict[str, Known] = {}
    missing: dict[str, MissingItem] = {}
    for name, item in fields.items():
        status = statuses.get(name, "not_allowed" if item.fills else "citizen_provides")
        if status == "filled":
            known[name] = _known(item, person, opened)
        elif name not in kept:
            missing[name] = MissingItem(item.title.vi, reason(status), item.ask.vi if item.ask else None)
    disclosed = _disclosed(fields, known, missing, person, opened)
    disclosed[person.key] |= set(PAPER_ATTRIBUTES) if kept else set()
    left = {key: tuple(sorted(attributes)) for key, attributes in disclosed.items()}
    return FilledForm(
        person_key=person.key,
        items=_filled(connection, request, known, rules, labels),
        papers={name: ReusablePaper(fields[name].title.vi, paper) for name, paper in kept.items()},
        missing_items=missing,
        released=left.pop(person.key),
        relatives=left,
    )


def _known(item: Item, person: Person, opened: Opened) -> Known:
    if item.attribute is None:
        return members_of(item, person, opened.members)
    return value_of(opened.relatives[item.of] if item.of else person, item.attribute)


def _filled(
    connection: Connection,
    request: FormRequest,
    known: Mapping[str, Known],
    rules: ConfidenceRules,
    labels: Labels,
) -> dict[str, FilledItem]:
    wanted: dict[str, set[str]] = {}
    for part in (part for each in known.values() for part in each.parts):
        wanted.setdefault(part.person_key, set()).add(part.attribute)
    support = find_support(connection, request.agreement, wanted, rules)
    return {name: _item(request.fields[name], each, support, rules, labels) for name, each in known.items()}


def _item(
    item: Item,
    known: Known,
    support: Mapping[tuple[str, str], Support],
    rules: ConfidenceRules,
    labels: Labels,
) -> FilledItem:
    beside = [support[part.person_key, part.attribute] for part in known.parts]
    graded = [
        (confidence(part.believed, part.attribute, each.sources, rules), part.believed.source)
        for part, each in zip(known.parts, beside, strict=True)
    ]
    least, source = max(graded, key=lambda of_part: of_part[0].doubt)
    wrong = any(each.disputed_by_owner for each in beside)
    return FilledItem(
        title=item.title.vi,
        value=known.value,
        labels=labels.of(item.attribute, known.value) if item.attribute else labels.of_members(known.value),
        source=source,
        as_of=known.as_of,
        confidence=least,
        confirm=item.confirm or wrong,
        disputed=wrong or any(part.believed.disputed for part in known.parts),
    )


def _disclosed(
    fields: Mapping[str, Item],
    known: Mapping[str, Known],
    missing: Mapping[str, MissingItem],
    person: Person,
    opened: Opened,
) -> dict[str, set[str]]:
    """Return the attributes that leave the hub, by key of the person and of each relative.

    The reason `relative_not_living` discloses the life status.
    """
    disclosed: dict[str, set[str]] = {person.key: set()}
    for relation, relative in opened.relatives.items():
        disclosed[person.key].add(relationship_attribute(relation))
        disclosed.setdefault(relative.key, set())
    if opened.head_found:
        disclosed[person.key].add(relationship_attribute(HOUSEHOLD_MEMBERS))
        disclosed |= {member.key: disclosed.get(member.key, set()) for member in opened.members}
    for part in (part for each in known.values() for part in each.parts):
        disclosed[part.person_key].add(part.attribute)
    for name, answer in missing.items():
        named = opened.relatives.get(fields[name].of or "")
        if named and answer.reason == "relative_not_living":
            disclosed[named.key].add(LIFE_STATUS)
    return disclosed
