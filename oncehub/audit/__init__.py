"""The access log: who asked for whose data, by what right, and what was answered."""

from oncehub.audit.log import Action, Entry, Involvement, Outcome, WrittenEntry, read_entries, write
from oncehub.audit.pages import Page, Told, page
from oncehub.audit.pseudonyms import (
    case_pseudonym,
    feed_pseudonym,
    person_pseudonym,
    pseudonym_key,
    retired_pseudonym_keys,
)
from oncehub.audit.seals import OVERDUE_SECONDS, SealReport, seal

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
