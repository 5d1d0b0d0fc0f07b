"""What was believed of people, and until when: every version of their golden records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg2.extras import RealDictCursor

from oncehub.encryption.field_values import FieldDecryptor
from oncehub.store.connection import Connection

# The version in force is told in the same form as those it followed.
_VERSIONS: Final = """
select person_key::text, believed_from, believed_until, believed, provenance
from truth.person_version
where person_key = any(%(people)s::uuid[])
union all
select
    person_key::text, believed_from, null,
    jsonb_strip_nulls(to_jsonb(p) - array['person_key', 'name_key', 'provenance', 'believed_from']),
    provenance
from truth.person p
where person_key = any(%(people)s::uuid[])
order by person_key, believed_from
"""


@dataclass(frozen=True)
class Origin:
    """On whose word a value is believed.

    Attributes:
        as_of: when the source stated it; of a value that it only repeated since, the last time.
        rule: `authority` or `trust`, as in `mappings/rules/survivorship.yaml`.
        doubtful: the record was in doubt.
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
class Held:
    """Something that was believed in [believed_from, believed_until); None while it is believed."""

    believed_from: datetime
    believed_until: datetime | None

    def held_at(self, moment: datetime) -> bool:
        """Tell whether it was believed at a moment."""
        return self.believed_from <= moment and (self.believed_until is None or moment < self.believed_until)


@dataclass(frozen=True)
class Version(Held):
    """A golden record.

    Attributes:
        believed: attribute -> value; an attribute without a value is left out.
        provenance: as in `truth.person`.
    """

    believed: Mapping[str, Any]
    provenance: Mapping[str, Mapping[str, Any]]

    def origin(self, attribute: str) -> Origin | None:
        """Return on whose word the attribute's value is believed; None where there is no value."""
        if attribute not in self.believed:
            return None
        told = self.provenance.get(attribute) or self.provenance["*"]
        return Origin(**{**told, "as_of": self.as_of(attribute)})

    def as_of(self, attribute: str) -> datetime:
        """Return when the attribute was stated; of one without a value, when the register stated the rest."""
        told = self.provenance.get(attribute) or self.provenance["*"]
        return datetime.fromisoformat(told["as_of"])


@dataclass(frozen=True)
class Belief(Held):
    """One attribute's value on one record's word."""

    value: Any
    origin: Origin


def versions_of(
    database: Connection, people: Iterable[UUID], decryptor: FieldDecryptor | None
) -> dict[UUID, list[Version]]:
    """Return the versions of each person, oldest first; whoever was never believed is left out.

    Encrypted values are decrypted by `decryptor`, and stay encrypted without it. Between two versions
    nothing was believed while the register did not have the person.
    """
    found: dict[UUID, list[Version]] = {}
    with database.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_VERSIONS, {"people": [str(person) for person in people]})
        for row in cursor.fetchall():
            person = UUID(row.pop("person_key"))
            if decryptor:
                row["believed"] = decryptor.decrypted_all(row["believed"], row["provenance"])
            found.setdefault(person, []).append(Version(**row))
    return found


H = TypeVar("H", bound=Held)


def held_at(moment: datetime, among: Iterable[H]) -> H | None:
    """Return what was believed at a moment; None before it came and while it was gone."""
    return next((each for each in among if each.held_at(moment)), None)


def beliefs_in(versions: Sequence[Version], attribute: str) -> list[Belief]:
    """Return what was believed of an attribute one after the other, oldest first.

    Versions that differ in other attributes only are one belief.
    """
    beliefs: list[Belief] = []
    for version in versions:
        origin = version.origin(attribute)
        if origin is None:
            continue
        since, value = version.believed_from, version.believed[attribute]
        if beliefs and _goes_on(beliefs[-1], value, origin, since):
            since = beliefs.pop().believed_from
        beliefs.append(Belief(since, version.believed_until, value, origin))
    return beliefs


def _goes_on(belief: Belief, value: Any, origin: Origin, since: datetime) -> bool:
    return (belief.value, belief.origin.record, belief.believed_until) == (value, origin.record, since)
