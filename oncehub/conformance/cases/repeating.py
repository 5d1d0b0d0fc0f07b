"""Whether reading again changes nothing, in the same pages and in others."""

from __future__ import annotations

from collections import Counter
from typing import Final

from oncehub.conformance.reach import page_size, resized
from oncehub.conformance.readers import ReplayedPages
from oncehub.conformance.records import Stated, differing_fields
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown

# More than this share of a register does not change between two readings a moment apart.
_RESTLESS: Final = 0.5
_NAMED_FIELDS: Final = 5


def twice(subject: Subject) -> str:
    """The same pages landed again write nothing, and the source says the same when it is asked again."""
    first = subject.known()
    subject.landed()
    again = subject.land(ReplayedPages(first.pages))
    if again.accepted or again.deleted:
        raise Fault(
            "not_repeatable",
            f"the same pages landed again write {again.accepted + again.deleted} records: the mapping gives "
            "another result each time; look at its transforms",
        )
    return _compared(first, subject.again())


def _compared(first: Read, second: Read) -> str:
    both = first.latest.keys() & second.latest.keys()
    changed = {key: (first.latest[key], second.latest[key]) for key in both}
    changed = {key: pair for key, pair in changed.items() if pair[0].content != pair[1].content}
    if len(changed) > max(1.0, _RESTLESS * len(both)):
        raise Fault(
            "restless",
            f"{len(changed)} of {len(both)} records came otherwise when asked for again at once, in "
            f"{_fields(changed)}: a second run would write them all; ask the agency to state times and "
            "values that stay while nothing changes",
        )
    unstated = {key: pair for key, pair in changed.items() if pair[0].at == pair[1].at}
    if unstated:
        raise Fault(
            "unstated_change",
            f"{len(unstated)} records came otherwise with the same time of statement, in "
            f"{_fields(unstated)}: changes of them will be missed; ask the agency to state them anew",
        )
    moved = f"; {len(changed)} were stated anew meanwhile" if changed else ""
    return f"{len(both)} records landed again write nothing{moved}"


def _fields(changed: dict[str, tuple[Stated, Stated]]) -> str:
    counts: Counter[str] = Counter()
    for one, other in changed.values():
        counts.update(differing_fields(one.content, other.content))
    return ", ".join(f"`{name}`" for name, _ in counts.most_common(_NAMED_FIELDS))


def doubles(subject: Subject) -> str:
    """A record that comes more than once in a reading says the same, or says when it said otherwise."""
    first = subject.known()
    said: dict[tuple[str, object], object] = {}
    conflicting = set()
    repeated = 0
    for each in first.stated:
        if each.key is None or each.at is None:
            continue
        held = said.setdefault((each.key, each.at), each.content)
        repeated += held is not each.content
        if held != each.content:
            conflicting.add(each.key)
    if conflicting:
        raise Fault(
            "duplicate_key",
            f"{len(conflicting)} keys came with different contents and the same time of statement in one "
            "reading: nothing says which is true; choose the `key` that names one record, or ask the "
            "agency",
        )
    return f"{repeated} records came again, with the same content" if repeated else "every key came once"


def order(subject: Subject) -> str:
    """In pages of another size the same records come: the order of the listing lasts."""
    first = subject.known()
    size = page_size(subject.spec)
    if size is None or size < 2:
        raise NotShown("the reader cannot choose the size of pages")
    if not first.complete:
        raise NotShown("the stream was not read to its end; raise --limit-pages")
    if len(first.pages) < 2:
        raise NotShown("the stream fits into one page; run again when it holds more")
    smaller = size * 3 // 5 or 1
    other = resized(subject.connector, subject.stream, smaller)
    second = subject.read(subject.whole, connector=other, most=2 * subject.options.pages)
    lost = first.latest.keys() - second.latest.keys()
    # Gone for good is not lost.
    if lost and (lost := lost & subject.read(subject.whole).latest.keys()):
        raise Fault(
            "unstable_order",
            f"{len(lost)} of {len(first.latest)} records did not come in pages of another size: pages "
            "are cut from an order that does not last; ask the agency for one by key or time",
        )
    return f"the same {len(first.latest)} records in pages of {size} and of {smaller}"
