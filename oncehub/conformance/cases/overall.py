"""Cases about the whole run: nothing confidential was logged, and the source was asked within its limits."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from oncehub.anonymisation.anonymiser import leaves
from oncehub.config.connection import Connection
from oncehub.conformance.reach import Reach
from oncehub.conformance.subject import Subject
from oncehub.conformance.verdict import Fault, NotShown

_SHORTEST_TEXT: Final = 4
_SHORTEST_NUMBER: Final = 6  # below, counts and times would look like values
_MOST_RECORDS: Final = 2_000

# Bounds of windows, as the hub writes them; the day of one may be that of somebody's birth.
_BOUND: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00:00")


def quiet(said: Iterable[str], secrets: Iterable[str], subjects: Iterable[Subject]) -> str:
    """No secret and no value of a record stands in any log, warning, error or table meant for people.

    Looked for are secrets, and of the first records of each stream keys, texts of more than three letters
    and numbers of more than five digits, each as it is, as in an address and in base64. What the connector's
    own files say, and times of statement, are no personal values. Page tokens in checkpoints are the source's
    and may hold anything; they are in no log.
    """
    everything = _BOUND.sub("", "\n".join(said))
    if any(form in everything for secret in secrets for form in _forms(secret)):
        raise Fault("secret_disclosed", "a secret of the connection was logged or written down")
    count = 0
    for subject in subjects:
        values = set(_values(subject))
        count += len(values)
        if found := sum(_is_disclosed(value, everything) for value in values):
            raise Fault(
                "value_disclosed",
                f"{found} values of records of {subject.name} were logged or written down; where the "
                "connector has a part of its own, look there",
            )
    return f"{len(everything.splitlines())} lines hold none of {count} values and no secret"


def secrets_of(connection: Connection) -> set[str]:
    """Everything of a connection that nobody else may know."""
    secrets = {connection.password} if connection.password else set()
    if connection.login and connection.password:
        pair = f"{connection.login}:{connection.password}"
        secrets.add(base64.b64encode(pair.encode()).decode())
    secrets |= {text for _, text in leaves(dict(connection.extra)) if _is_secret(text)}
    secrets |= set(_of_key_files(connection.extra))
    return secrets


def _is_secret(text: Any) -> bool:
    """Whether a setting is more than the name of a file, an address or a word."""
    return isinstance(text, str) and len(text) >= 16 and "/" not in text and " " not in text


def _of_key_files(extra: Mapping[str, Any]) -> Iterator[str]:
    for name in ("private_key", "client_key"):
        path = extra.get(name)
        if isinstance(path, str) and Path(path).is_file():
            lines = Path(path).read_text("ascii", errors="replace").splitlines()
            yield from (line for line in lines if len(line) > 32 and not line.startswith("-----"))


def _values(subject: Subject) -> Iterator[str]:
    if subject.first is None:
        return
    words = subject.configuration_words
    for each in subject.first.stated[:_MOST_RECORDS]:
        if each.key and len(each.key) >= _SHORTEST_TEXT and each.key not in words:
            yield each.key
        for path, value in leaves(each.content):
            if path in subject.non_personal_fields or isinstance(value, bool):
                continue
            text = str(value)
            least = _SHORTEST_NUMBER if text.replace(".", "").isdigit() else _SHORTEST_TEXT
            if len(text) >= least and text not in words:
                yield text


def _is_disclosed(value: str, everything: str) -> bool:
    """Whether a value stands there as a word of its own, in any form."""
    return any(
        form in everything and re.search(rf"(?<!\w){re.escape(form)}(?!\w)", everything)
        for form in _forms(value)
    )


def _forms(text: str) -> set[str]:
    return {text, quote(text, safe=""), quote_plus(text), base64.b64encode(text.encode()).decode()}


# The first request may have begun later than its turn.
_SLACK_SECONDS = 0.5
_FEWEST = 10


def limits(reach: Reach) -> str:
    """All readings of the suite together kept to `limits.requests` and `limits.concurrency`."""
    stated, meter = reach.connector.limits, reach.meter
    begun = sorted(meter.begun)
    if reach.recorded or len(begun) < _FEWEST:
        raise NotShown("too few requests went to the source itself")
    if meter.most_at_once > stated.concurrency:
        raise Fault(
            "too_many_at_once",
            f"{meter.most_at_once} requests were under way at a time, limits.concurrency is "
            f"{stated.concurrency}",
        )
    seconds = begun[-1] - begun[0]
    least = (len(begun) - stated.burst) / stated.requests - _SLACK_SECONDS
    if seconds < least:
        raise Fault(
            "too_fast", f"{len(begun)} requests in {seconds:.1f} s, limits.requests is {stated.requests:g}/s"
        )
    return f"{len(begun)} requests in {seconds:.1f} s, at most {meter.most_at_once} at a time"
