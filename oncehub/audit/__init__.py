"""The access log: who asked for whose data, by what right, and what was answered."""

from oncehub.audit.log.entries import Action, Entry, Involvement, Outcome, WrittenEntry, read_entries, write
from oncehub.audit.log.pages import Page, Told, page
from oncehub.audit.log.pseudonyms import (
    case_pseudonym,
    feed_pseudonym,
    person_pseudonym,
    pseudonym_key,
    retired_pseudonym_keys,
)
from oncehub.audit.signing.checkpoints import OVERDUE_SECONDS, SealReport, seal

__all__ = [
    "OVERDUE_SECONDS",
    "Action",
    "Entry",
    "Involvement",
    "Outcome",
    "Page",
    "SealReport",
    "Told",
    "WrittenEntry",
    "case_pseudonym",
    "feed_pseudonym",
    "page",
    "person_pseudonym",
    "pseudonym_key",
    "read_entries",
    "retired_pseudonym_keys",
    "seal",
    "write",
]
