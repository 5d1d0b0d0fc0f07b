"""The access log: who asked for whose data, by what right, and what was answered."""

from oncehub.audit.log import Action, Entry, Outcome, WrittenEntry, read_entries, write
from oncehub.audit.pseudonyms import feed_pseudonym, person_pseudonym, pseudonym_key

__all__ = [
    "Action",
    "Entry",
    "Outcome",
    "WrittenEntry",
    "feed_pseudonym",
    "person_pseudonym",
    "pseudonym_key",
    "read_entries",
    "write",
]
