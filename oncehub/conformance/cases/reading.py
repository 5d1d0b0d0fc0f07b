"""Whether contract, mapping and samples agree, and the stream can be read to its end."""

from __future__ import annotations

from collections.abc import Iterator

from oncehub.config.catalogue import load_connector
from oncehub.config.connector import TombstoneStream
from oncehub.config.reading import Form, Sql
from oncehub.conformance.readers import LimitedReader
from oncehub.conformance.subject import Read, Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.normalize.definition import load_definition
from oncehub.normalize.stream_check import sample_faults


def reads(subject: Subject) -> str:
    """Credentials work, and every page is as the connector says, as far as is to be read."""
    noted: list[LimitedReader] = []
    report = subject.kept.read(
        subject.connector, subject.stream, subject.live(noted), now=subject.now, full=True
    )
    [reading] = noted
    read = Read(subject.spec, tuple(reading.passed), complete=not reading.cut)
    subject.first, subject.recorded_responses = read, subject.reach.interactions.copied()
    seen = f"{report.read} records, pages: {report.pages}"
    seen += "".join(f"; {remark}" for remark in dict.fromkeys(_remarks(read)))
    return seen if read.complete else f"{seen}; what follows was left unread (--limit-pages)"


def _remarks(read: Read) -> Iterator[str]:
    for page in read.pages:
        yield from page.remarks


def totals(subject: Subject) -> str:
    """A declared total is the same on every page while nothing changes, and so many records come."""
    first = subject.known()
    declared = [page.total for page in first.pages if page.total is not None]
    if not declared:
        raise NotShown(_no_total(subject.spec.read))
    if subject.spec.snapshot or isinstance(subject.spec.deletes, TombstoneStream):
        raise NotShown("the declared totals belong to several listings")
    if len(set(declared)) > 1 and _says_the_same_again(subject, declared):
        raise Fault(
            "shrinking_total",
            "the declared total differs from page to page in the same way at every reading: "
            "ask the agency, or do not name it in `pages.total`",
        )
    unnamed = sum(not each.key for each in first.stated)
    different = len(first.latest) + unnamed
    if first.complete and different < declared[-1]:
        raise Fault(
            "unstable_order",
            f"{declared[-1]} records are declared and {len(first.stated)} came, but only {different} "
            "different ones: pages are cut from an order that does not last, so records are lost; "
            "ask the agency for one by key or time",
        )
    return f"{declared[-1]} declared"


def _no_total(read: Form | Sql) -> str:
    if read.listing:
        return "the files declare no total; if the listing has the rows of each, name them in `listing.rows`"
    if read.in_files:
        return "files of a folder declare no total"
    return "the source declares no total; if it can, name its place in `pages.total`"


def _says_the_same_again(subject: Subject, declared: list[int]) -> bool:
    """Whether another reading tells that nothing really came or went."""
    return [page.total for page in subject.again().pages] == declared


def samples(subject: Subject) -> str:
    """The samples beside the connector meet the contract, and the mapping reads each of them."""
    settings = subject.scratch.settings
    definition = load_definition(settings, load_connector(settings, subject.connector.source), subject.stream)
    path = definition.connector.path.parent / "samples" / f"{subject.stream}.json"
    if not path.is_file():
        raise NotShown(f"there are no samples; write a few invented records to {path}")
    if faults := sample_faults(definition):
        raise Fault("bad_samples", f"{faults[0]}; correct it, the contract or the mapping")
    return "contract, mapping and samples agree"
