"""The access log: who asked for whose data, by what right, and what was answered."""

from oncehub.audit.log import Action, Entry, Outcome, WrittenEntry, read_entries, write
from oncehub.audit.pseudonyms import case_pseudonym, feed_pseudonym, person_pseudonym, pseudonym_key
from oncehub.audit.seals import OVERDUE_SECONDS, SealReport, seal

__all__ = [
    "OVERDUE_SECONDS",
    "Action",
    "Entry",
    "Outcome",
    "SealReport",
    "WrittenEntry",
    "case_pseudonym",
    "feed_pseudonym",
    "person_pseudonym",
    "pseudonym_key",
    "read_entries",
    "seal",
    "write",
]
