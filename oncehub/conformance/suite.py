"""Runs every case on every stream, then the cases about captured output and about later changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from oncehub.conformance.captured_output import captured_output
from oncehub.conformance.cases import CASES
from oncehub.conformance.cases.afterwards import Aftermath, arrivals, departures, observed
from oncehub.conformance.cases.overall import limits, quiet, secrets_of
from oncehub.conformance.diagnosis import diagnosed
from oncehub.conformance.hub import Hub
from oncehub.conformance.reach import Reach
from oncehub.conformance.subject import Options, Subject
from oncehub.conformance.verdict import Fault, NotShown, Verdict
from oncehub.errors import ConfigError, OncehubError

Listener = Callable[[Verdict], None]
"""Called with each verdict as soon as it is known."""

AFTERWARDS = ("arrivals", "departures")
OF_ALL = ("quiet", "limits")
NAMES = (*CASES, *AFTERWARDS, *OF_ALL)
"""Names of all cases, in their order."""


@dataclass(frozen=True)
class Suite:
    """All cases, ready to be tried on one source.

    Attributes:
        reach: the source; its clock is the time at which the suite began.
        hubs: one that cases may empty, and one that they may not.
        clock: the present.
        only: names of the cases to be tried; all when empty. `reads` is always.
    """

    reach: Reach
    hubs: tuple[Hub, Hub]
    options: Options
    clock: Callable[[], datetime]
    only: Collection[str] = ()

    def run(self, streams: Sequence[str], listener: Listener) -> list[Verdict]:
        """Try the cases on some streams.

        Raises:
            ConfigError: for the name of a case or stream that does not exist, or a file that is wrong.
        """
        connector = self.reach.connector
        if unknown := sorted(set(streams) - set(connector.streams)):
            known = ", ".join(connector.streams)
            raise ConfigError(f"{connector.source} has no stream {unknown[0]!r}; there are: {known}")
        if unknown := sorted(set(self.only) - set(NAMES)):
            raise ConfigError(f"there is no case {unknown[0]!r}; there are: {', '.join(NAMES)}")
        verdicts: list[Verdict] = []
        for hub in self.hubs:
            hub.empty()
        with captured_output() as captured:
            for verdict in self._verdicts(streams or list(connector.streams), captured, verdicts):
                verdicts.append(verdict)
                listener(verdict)
        return verdicts

    def _verdicts(
        self, streams: Sequence[str], captured: set[str], verdicts: Sequence[Verdict]
    ) -> Iterator[Verdict]:
        subjects = [self._subject(stream) for stream in streams]
        for subject in subjects:
            for name, case in CASES.items():
                if self._wanted(name) or name == "reads":
                    yield judged(name, subject.stream, partial(case, subject))
        yield from self._afterwards(subjects)
        said = captured.union(*(hub.messages() for hub in self.hubs), (each.message for each in verdicts))
        if self._wanted("quiet"):
            secrets = secrets_of(self.reach.connection) | self.reach.meter.secrets()
            yield judged("quiet", None, partial(quiet, said, secrets, subjects))
        if self._wanted("limits"):
            yield judged("limits", None, partial(limits, self.reach))

    def _afterwards(self, subjects: Sequence[Subject]) -> Iterator[Verdict]:
        if not any(map(self._wanted, AFTERWARDS)):
            return
        time.sleep(self.options.wait)
        now = self.clock()
        for subject in subjects:
            try:
                aftermath = observed(subject, now)
            except (OncehubError, NotShown) as problem:
                yield from (judged(name, subject.stream, _raising(problem)) for name in AFTERWARDS)
                continue
            yield from self._compared(subject, aftermath)

    def _compared(self, subject: Subject, aftermath: Aftermath) -> Iterator[Verdict]:
        yield judged("arrivals", subject.stream, partial(arrivals, subject, aftermath))
        yield judged("departures", subject.stream, partial(departures, subject, aftermath))

    def _subject(self, stream: str) -> Subject:
        scratch, kept = self.hubs
        return Subject(
            connector=self.reach.connector,
            stream=stream,
            reach=self.reach,
            scratch=scratch,
            kept=kept,
            options=self.options,
            now=self.reach.clock(),
        )

    def _wanted(self, name: str) -> bool:
        return not self.only or name in self.only


def judged(name: str, stream: str | None, case: Callable[[], str]) -> Verdict:
    """Try one case."""
    try:
        return Verdict(name, stream, "passed", case())
    except Fault as fault:
        return Verdict(name, stream, "failed", str(fault), fault.name)
    except NotShown as why:
        return Verdict(name, stream, "not shown", str(why))
    except OncehubError as error:
        named = diagnosed(error)
        return Verdict(name, stream, "failed", str(named), named.name)


def _raising(problem: Exception) -> Callable[[], str]:
    def case() -> str:
        raise problem

    return case
