"""Whether a reading that is ended between two pages goes on to the same rows."""

from __future__ import annotations

from oncehub.conformance.killed import land_until_killed
from oncehub.conformance.readers import ReplayedPages
from oncehub.conformance.recorder import Unmatched
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.errors import OncehubError, RequestRefused
from oncehub.intake.runs.run import RunReport


class _Ended(BaseException):
    """Ends a reading at this very instant; like a kill, nothing of the engine handles it."""


def resumes(subject: Subject) -> str:
    """Ended after any page, a reading is taken up where it stopped, later too, and ends in the same rows."""
    pages = subject.known().pages
    if len(pages) < 2:
        raise NotShown("the stream fits into one page; run again when it holds more")
    expected = subject.landed().contents
    chosen = _spread(len(pages) - 1, subject.options.boundaries)
    for boundary in chosen:
        subject.scratch.empty()
        _land_until(subject, boundary)
        _go_on(subject, boundary)
        if unlike := expected.unlike(subject.contents()):
            raise Fault(
                "not_resumable",
                f"ended after page {boundary} and taken up, {len(unlike)} records are missing or otherwise: "
                "what stands behind a page's token or position must stay there; ask the agency",
            )
    return f"ended after {len(chosen)} of {len(pages) - 1} pages, each time the same rows"


def survives_kills(subject: Subject) -> str:
    """A process that reads the source is killed between two pages; the next one ends in the same rows."""
    pages = subject.known().pages
    if len(pages) < 2:
        raise NotShown("the stream fits into one page; run again when it holds more")
    chosen = _spread(len(pages) - 1, subject.options.kills)
    if not chosen:
        raise NotShown("no process was to be killed")
    expected = subject.landed().contents
    for boundary in chosen:
        subject.scratch.empty()
        names = (subject.connector.source, subject.stream)
        land_until_killed(subject.scratch.settings, names, pages, subject.now, boundary)
        _go_on(subject, boundary)
        if unlike := expected.unlike(subject.contents()):
            raise Fault(
                "not_resumable",
                f"killed after page {boundary} and taken up, {len(unlike)} records are missing or otherwise",
            )
    return f"killed after {', '.join(f'page {boundary}' for boundary in chosen)}: the same rows"


def _land_until(subject: Subject, boundary: int) -> None:
    def end(report: RunReport) -> None:
        if report.pages == boundary and not report.done:
            raise _Ended

    try:
        subject.land(ReplayedPages(subject.known().pages), listener=end)
    except _Ended:
        # What a lost connection would undo.
        subject.scratch.store.rollback()


def _go_on(subject: Subject, boundary: int) -> None:
    try:
        subject.land(subject.live())
    except Unmatched:
        raise
    except RequestRefused as refused:
        raise Fault(
            "expired_cursor",
            f"taken up after page {boundary}, the source refused the page token: {refused}; an interrupted "
            "run must begin anew; ask the agency to let tokens live for a day",
        ) from None
    except OncehubError as error:
        raise Fault("not_resumable", f"taken up after page {boundary}, the reading failed: {error}") from None


def _spread(most: int, count: int) -> list[int]:
    """Boundaries 1 to `most`, at most `count` of them: the first, the last, and others between."""
    if count < 1:
        return []
    if count == 1:
        return [(most + 1) // 2]
    if most <= count:
        return list(range(1, most + 1))
    return sorted({1 + round(index * (most - 1) / (count - 1)) for index in range(count)})
