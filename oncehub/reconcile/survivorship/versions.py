"""Reads the stored versions of golden records, each with the time in which it was the golden record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.encryption.field_values import FieldDecryptor
from oncehub.store.connection import Connection

# The present version in the form of the former ones.
_VERSIONS: Final = """
select person_key::text, believed_from, believed_until, believed, provenance
from truth.person_version
where person_key = any(%(people)s::uuid[])
union all
select
    person_key::text, believed_from, null,
    jsonb_strip_nulls(to_jsonb(p) - array['person_key', 'provenance', 'believed_from']),
    provenance
from truth.person p
where person_key = any(%(people)s::uuid[])
order by person_key, believed_from
"""


@dataclass(frozen=True)
class Origin:
    """The record that a golden value rests on.

    Attributes:
        as_of: when the source stated the value; when it has repeated it, the last time.
        rule: `authority` or `trust`, as in `mappings/rules/survivorship.yaml`.
        doubtful: the record was doubtful.
    """

    source: str
    stream: str
    source_key: str
    as_of: datetime
    rule: str
    doubtful: bool = False

    @property
    def record(self) -> tuple[str, str, str]:
        """Source, stream and key of the record."""
        return self.source, self.stream, self.source_key


@dataclass(frozen=True)
class Valid:
    """Something that was golden in [believed_from, believed_until); `believed_until` is None while it is."""

    believed_from: datetime
    believed_until: datetime | None

    def valid_at(self, moment: datetime) -> bool:
        """Tell whether the moment lies in that time."""
        return self.believed_from <= moment and (self.believed_until is None or moment < self.believed_until)


@dataclass(frozen=True)
class Version(Valid):
    """A golden record.

    Attributes:
        believed: attribute -> golden value; an attribute without a value is left out.
        provenance: as in `truth.person`.
    """

    believed: Mapping[str, Any]
    provenance: Mapping[str, Mapping[str, Any]]

    def origin(self, attribute: str) -> Origin | None:
        """Return the record that the attribute's value rests on; None where there is no value."""
        if attribute not in self.believed:
            return None
        return Origin(**{**self._provenance_of(attribute), "as_of": self.as_of(attribute)})

    def as_of(self, attribute: str) -> datetime:
        """Return when the attribute was stated; of one without a value, when the register stated the rest."""
        return datetime.fromisoformat(self._provenance_of(attribute)["as_of"])

    def _provenance_of(self, attribute: str) -> Mapping[str, Any]:
        return self.provenance.get(attribute) or self.provenance["*"]


@dataclass(frozen=True)
class Belief(Valid):
    """One attribute's golden value, resting on one record."""

    value: Any
    origin: Origin


def versions_of(database: Connection, people: Iterable[UUID], home: Path | None) -> dict[UUID, list[Version]]:
    """Return the versions of each person, oldest first; a person without any is left out.

    Values are decrypted with the ring below `home`; without it they stay encrypted. Between two versions the
    person had no golden record, because the register did not have them.
    """
    found: dict[UUID, list[Version]] = {}
    decryptor = FieldDecryptor(home, database) if home else None
    with database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_VERSIONS, {"people": [str(person) for person in people]})
        for row in cursor.fetchall():
            person = UUID(row.pop("person_key"))
            if decryptor:
                row["believed"] = decryptor.decrypted_all(row["believed"], row["provenance"])
            found.setdefault(person, []).append(Version(**row))
    return found


V = TypeVar("V", bound=Valid)


def valid_at(moment: datetime, among: Iterable[V]) -> V | None:
    """Return the one that was golden at a moment; None where there was none."""
    return next((each for each in among if each.valid_at(moment)), None)


def beliefs_in(versions: Sequence[Version], attribute: str) -> list[Belief]:
    """Return the golden values of an attribute one after the other, oldest first.

    Versions that differ only in other attributes are one belief.
    """
    beliefs: list[Belief] = []
    for version in versions:
        origin = version.origin(attribute)
        if origin is None:
            continue
        since, value = version.believed_from, version.believed[attribute]
        last = beliefs[-1] if beliefs else None
        if last and (last.value, last.origin.record, last.believed_until) == (value, origin.record, since):
            since = beliefs.pop().believed_from
        beliefs.append(Belief(since, version.believed_until, value, origin))
    return beliefs
