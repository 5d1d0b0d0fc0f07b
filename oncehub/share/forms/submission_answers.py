"""Checks a citizen's answers against the form as it was filled and the canonical schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jsonschema_rs import Draft202012Validator, ValidationError

from oncehub.config.entities import Entity, unqualified
from oncehub.config.procedures import Item
from oncehub.errors import Fault, SubmissionInvalid
from oncehub.share.forms.submissions import OpenForm

LONGEST_TEXT: Final = 500
"""Letters of one text; the canonical schema bounds none."""

Kind = Literal["confirmed", "corrected", "answered", "none"]

_OF_CONFIRMED: Final = ("confirmed", "corrected", "none")
_OF_ASKED: Final = ("answered", "none")


@dataclass(frozen=True)
class Answer:
    """An answer to one item.

    Attributes:
        kind: the value shown is right; is replaced by `value`; `value` was asked for; there is none to give.
        value: in canonical form, for an item that has an attribute; for one that lists people, a list of
            objects with attributes of theirs.
    """

    kind: Kind
    value: Any = None


class Answers:
    """The answers to a form.

    Args:
        form: as it was filled.
        items: of that version of the form.
        covered: qualified attributes of the person that the agreement covers, and the person's consent.
        person: the canonical entity.
        given: answers by item.
        most_members: how many people a list may have.
    """

    def __init__(
        self,
        form: OpenForm,
        items: Mapping[str, Item],
        *,
        covered: Collection[str],
        person: Entity,
        given: Mapping[str, Answer],
        most_members: int,
    ) -> None:
        self._form = form
        self._items = items
        self._covered = covered
        self._person = person
        self._given = given
        self._most_members = most_members

    def require_fitting(self) -> None:
        """Check that everything that was to be confirmed or asked is answered, nothing else, and well.

        Raises:
            SubmissionInvalid: with one fault for each place, none of which quotes what was given.
        """
        if faults := [*self._missing(), *self._unknown(), *self._unfit(), *self._contradicting()]:
            raise SubmissionInvalid(faults)

    def confirmed(self) -> dict[str, str]:
        """Items of the person that were confirmed as they were -> attribute, e.g. `person.phone`."""
        own = self._own()
        return {
            name: own[name]
            for name, answer in self._given.items()
            if answer.kind == "confirmed" and name in own
        }

    def stated(self) -> dict[str, tuple[str, Any]]:
        """Items of the person that were corrected or answered -> attribute and value."""
        own = self._own()
        return {
            name: (own[name], answer.value)
            for name, answer in self._given.items()
            if answer.kind in ("corrected", "answered") and name in own
        }

    def _own(self) -> dict[str, str]:
        return {
            name: item.attribute
            for name, item in self._items.items()
            if item.attribute in self._covered and item.attribute and not item.of
        }

    def _missing(self) -> Iterator[Fault]:
        for name in [*self._form.confirm, *self._form.missing_items]:
            if name not in self._given:
                wanted = "confirmed or corrected" if name in self._form.confirm else "answered"
                yield Fault(("answers", name), f"is not {wanted}; where there is nothing to give, say none")

    def _unknown(self) -> Iterator[Fault]:
        # Their names are the caller's own words, so they are counted and not repeated.
        known = {*self._form.filled, *self._form.confirm, *self._form.missing_items}
        if strange := len(set(self._given) - known):
            yield Fault(("answers",), f"{strange} of the items are none that the form shows or asks")

    def _unfit(self) -> Iterator[Fault]:
        for name, answer in self._given.items():
            place = ("answers", name)
            if name in self._form.filled:
                yield Fault(place, "was filled and needs no confirmation; leave it out")
            elif name in self._form.confirm and answer.kind not in _OF_CONFIRMED:
                yield Fault((*place, "kind"), "was shown to be confirmed: say confirmed, corrected or none")
            elif name in self._form.missing_items and answer.kind not in _OF_ASKED:
                yield Fault((*place, "kind"), "was asked: say answered or none")
            elif name in self._form.confirm or name in self._form.missing_items:
                yield from self._unfit_value(name, answer)

    def _unfit_value(self, name: str, answer: Answer) -> Iterator[Fault]:
        place = ("answers", name, "value")
        item = self._items[name]
        if answer.kind in ("confirmed", "none"):
            if answer.value is not None:
                yield Fault(place, f"goes with corrected or answered, not with {answer.kind}")
        elif item.attributes:
            yield from self._unfit_members(place, item, answer.value)
        elif item.attribute is None:
            # The portal's own: the hub has no place for it, and so no need of it.
            if answer.value is not None and not _is_line(answer.value, breaks=True):
                yield Fault(place, f"is no text of at most {LONGEST_TEXT} letters")
        else:
            yield from self._unlike_schema(place, unqualified(item.attribute), answer.value)

    def _unfit_members(self, place: tuple[str, ...], item: Item, value: Any) -> Iterator[Fault]:
        if not isinstance(value, list) or not 1 <= len(value) <= self._most_members:
            yield Fault(
                place, f"is no list of 1 to {self._most_members} people; where there is nobody, say none"
            )
            return
        names = [unqualified(name) for name in item.attributes]
        for number, member in enumerate(value):
            where = (*place, str(number))
            if not isinstance(member, dict) or set(member) - set(names) or not any(member.values()):
                yield Fault(where, f"does not have some of {', '.join(names)}, and nothing else")
                continue
            for name in names:
                if member.get(name) is not None:
                    yield from self._unlike_schema((*where, name), name, member[name])

    def _unlike_schema(self, place: tuple[str, ...], attribute: str, value: Any) -> Iterator[Fault]:
        schema = self._person.schema["properties"][attribute]
        if value is None or (isinstance(value, dict) and not any(value.values())):
            yield Fault(place, "is empty; where there is nothing to give, say none")
            return
        try:
            errors = list(Draft202012Validator(schema).iter_errors(value))
        except ValueError:
            yield Fault(place, "is nested too deeply")
            return
        for error in errors:
            # Name only what the schema names: the answer is personal data.
            member = tuple(
                part for part in map(str, error.instance_path) if part in schema.get("properties", ())
            )
            yield Fault((*place, *member), _reason(error))
        texts = value.items() if isinstance(value, dict) else [("", value)]
        for name, text in texts:
            if isinstance(text, str) and not _is_line(text):
                within = (name,) if name in schema.get("properties", ()) else ()
                yield Fault((*place, *within), f"is not one line of at most {LONGEST_TEXT} letters")

    def _contradicting(self) -> Iterator[Fault]:
        first: dict[str, tuple[str, Any]] = {
            attribute: (name, None) for name, attribute in self.confirmed().items()
        }
        for name, (attribute, value) in self.stated().items():
            earlier, before = first.setdefault(attribute, (name, value))
            if before != value:
                yield Fault(
                    ("answers", name, "value"), f"differs from that of {earlier}, which states the same"
                )


def _reason(error: ValidationError) -> str:
    details = error.kind.as_dict()
    match error.kind.name:
        case "pattern":
            return f"does not have the form {details['pattern']}"
        case "enum":
            return f"is none of {', '.join(str(each) for each in details['options'] if each is not None)}"
        case "type":
            return f"is no {' or '.join(kind for kind in details['types'] if kind != 'null')}"
        case "additionalProperties":
            return "has parts that the attribute does not have"
        case keyword:
            return f"does not keep to {keyword} of the canonical schema"


def _is_line(value: Any, *, breaks: bool = False) -> bool:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return False
    return all(letter.isprintable() or (breaks and letter in "\n\t") for letter in value)
