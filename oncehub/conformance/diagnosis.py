"""Diagnoses a failed reading: the name of the fault, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from oncehub.conformance.recorder import Unmatched
from oncehub.conformance.verdict import Fault
from oncehub.errors import (
    AuthenticationError,
    ConfigError,
    ContractStopped,
    OncehubError,
    RequestRefused,
    StoreError,
    Throttled,
)


@dataclass(frozen=True)
class _Known:
    """A fault recognised by the text of its error."""

    name: str
    said: re.Pattern[str]
    advice: str


def _known(name: str, said: str, advice: str) -> _Known:
    return _Known(name, re.compile(said), advice)


# The first match counts.
_KNOWN: Final = (
    _known(
        "repeated_token", "leads back to a page", "a page token must lead on; ask the agency to correct it"
    ),
    _known(
        "same_page_again",
        "the same as the page before",
        "the source does not heed the page parameter; check `pages.parameter`, and ask the agency",
    ),
    _known(
        "next_elsewhere",
        "leads to another host",
        "credentials go to the connection's host only; ask the agency to name pages there",
    ),
    _known(
        "more_without_token",
        "names no next page",
        "the source says that more follows and not where; check `pages.next`, and ask the agency",
    ),
    _known(
        "unproven_end",
        "no next page is named at",
        "an end that the source does not state may be the middle; docs/decisions/0012-end-of-a-listing.md",
    ),
    _known(
        "promises_more",
        r"declares \d+ records but ended",
        "the source holds less than it declares; check `pages.total`, and ask the agency what it counts",
    ),
    _known("short_page", r"counts \d+ records but holds", "a page must hold what it counts; ask the agency"),
    _known(
        "redirects", "a redirect", "name the address that answers in the connection's host and `read.path`"
    ),
    _known(
        "gzip_bomb",
        "unpacks to more than",
        "raise limits.page_bytes only if answers are meant to be so large",
    ),
    _known(
        "endless",
        "larger than limits|longer than limits",
        "ask for smaller pages, or raise the limit if answers are meant to be so large",
    ),
    _known(
        "document_type",
        "DOCTYPE",
        "XML with a document type may expand without end or fetch files; ask the agency to send it without",
    ),
    _known(
        "wrong_encoding",
        r"is not \S+ text|declares an encoding",
        "check `read.encoding`, and ask the agency which one it sends",
    ),
    _known(
        "half_written_file",
        "not complete yet",
        "let the source write its sum beside a file when the file is complete",
    ),
    _known(
        "wrong_checksum", "SHA-256|checksum", "the file is not the one whose sum is stated; ask the agency"
    ),
    _known("wrong_row_count", r"declared to hold \d+ rows", "the file must hold what its listing counts"),
    _known(
        "unlike_stated",
        "holds no ",
        "the answer is not as the connector says; correct `read` or `pages`, see connector check",
    ),
    _known("maintenance_page", "HTML page", "the source answers with a page for people; check the address"),
    _known(
        "unreadable_answer",
        "not JSON|not well-formed|not CSV|no end|ends within|gzip",
        "the answer cannot be read in the form that `read` states, however often it is asked for",
    ),
    _known(
        "too_many_rejected",
        "records rejected",
        "contract and mapping do not fit what comes; see connector discover",
    ),
    _known(
        "too_many_absent",
        "the snapshot lacks",
        "a full read lacks too much of what an earlier one held; ask the agency",
    ),
)

_BY_KIND: Final[tuple[tuple[type[OncehubError], str, str], ...]] = (
    (Unmatched, "unmatched_request", "it holds no answer to what the connector asks for now"),
    (Throttled, "throttled_too_long", "lower limits.requests, or ask the agency for more"),
    (AuthenticationError, "refused_credentials", "check the connection, and ask what the account may read"),
    (RequestRefused, "refused_request", "the source calls the request wrong"),
    (ContractStopped, "contract_stopped", "the contract says to stop at such a record"),
    (ConfigError, "misconfigured", "correct the file"),
    (StoreError, "refused_by_database", "the hub could not land what was read"),
)


def diagnosed(error: OncehubError) -> Fault:
    """Return the fault that an error of a reading indicates."""
    said = str(error)
    for known in _KNOWN:
        if known.said.search(said):
            return Fault(known.name, f"{said}: {known.advice}")
    for kind, name, advice in _BY_KIND:
        if isinstance(error, kind):
            return Fault(name, f"{said}: {advice}")
    return Fault("unreachable", f"{said}: the source did not answer well in all tries")
