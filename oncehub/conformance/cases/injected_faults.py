"""Whether a reading survives what goes wrong on the way, and ends in the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from oncehub.conformance.fault_injection import InjectedFault, asking_to_wait
from oncehub.conformance.hub import Contents
from oncehub.conformance.readers import LimitedReader, opener_of
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown
from oncehub.errors import OncehubError, Throttled
from oncehub.intake.sync import Opener


def survives(subject: Subject, injected: InjectedFault) -> str:
    """Every other answer goes wrong at first; the reading ends in the same rows as if none had."""
    expected = _expected(subject)
    if subject.connector.limits.attempts < 2:
        raise NotShown("limits.attempts allows no second try")
    if injected.name == "malformed" and "reader" in subject.connector.plugins:
        raise NotShown("the connector reads answers itself; what breaks their syntax is not known")
    subject.scratch.empty()
    with subject.spoiled(injected.spoils(subject.spec.read)) as (source, faulty):
        try:
            subject.land(opener_of(LimitedReader(source, subject.options.pages)))
        except OncehubError as error:
            raise Fault(
                injected.name, f"{injected.description}: the reading did not survive: {error}"
            ) from None
    if unlike := expected.unlike(subject.contents()):
        raise Fault(
            injected.name,
            f"{injected.description}: {len(unlike)} records are missing or differ, so a broken answer "
            "was taken for a whole one; let pages declare a count or total, or files a sum",
        )
    return f"{injected.description}, {faulty.met} x: the same rows"


def waits_no_longer(subject: Subject) -> str:
    """A Retry-After beyond `limits.longest_wait` ends the run at once, and later ones go on."""
    expected = _expected(subject)
    beyond = subject.connector.limits.longest_wait.total_seconds() + 3600
    subject.scratch.empty()
    with subject.spoiled(asking_to_wait(beyond)) as (source, _):
        ended = list(_ended_runs(subject, opener_of(LimitedReader(source, subject.options.pages))))
    if not ended or any(each.retry_after < beyond for each in ended):
        raise Fault("waits_too_long", "asked to wait for more than an hour, the run did not end saying so")
    if expected.unlike(subject.contents()):
        raise Fault("waits_too_long", "ended by a long Retry-After and taken up, the rows are not the same")
    return f"asked {len(ended)} x to wait for an hour: the run ended, the next went on to the same rows"


def _ended_runs(subject: Subject, opener: Opener) -> Iterator[Throttled]:
    """Run until one comes to its end, and give how the others ended."""
    while True:
        try:
            subject.land(opener)
        except Throttled as throttled:
            yield throttled
        else:
            return


def _expected(subject: Subject) -> Contents:
    expected = subject.landed().contents
    if subject.spec.read.folder or subject.spec.read.in_table:
        raise NotShown("folders and tables are read without requests")
    if subject.recorded_responses is None:
        raise NotShown("the answers are too large to be kept and played again")
    return expected
