"""Lists consents with their proof for the hub's operator.

Consents are recorded and withdrawn in `oncehub.share.consent.consents`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extras import RealDictCursor

from oncehub.errors import ConsentNotFound
from oncehub.share.consent.consents import Channel
from oncehub.store.connection import Connection


@dataclass(frozen=True)
class RecordedConsent:
    """A consent and, once it is withdrawn, its withdrawal.

    The fields are described in `oncehub.share.consent.consents`.

    Attributes:
        person_key: who consented.
        reference: what proves it; `withdrawal_reference` what proves the withdrawal.
    """

    consent_id: str
    person_key: str
    agreement: str
    agency: str
    purpose: str
    attributes: tuple[str, ...]
    text_version: str
    text_digest: str
    given_at: datetime
    channel: Channel
    reference: str
    officer: str | None
    recorded_by: str
    vouched_by: str | None
    recorded_at: datetime
    withdrawn_at: datetime | None
    withdrawal_channel: Channel | None
    withdrawal_reference: str | None
    withdrawn_by: str | None


_LIST = """
select
    c.consent_id::text, c.person_key::text, c.agreement, c.agency, c.purpose, c.attributes, c.text_version,
    c.text_digest, c.given_at, c.channel, c.reference, c.officer, c.recorded_by, c.vouched_by,
    c.recorded_at,
    w.withdrawn_at, w.channel as withdrawal_channel, w.reference as withdrawal_reference,
    w.recorded_by as withdrawn_by
from share.consent c left join share.consent_withdrawal w using (consent_id)
where (%(consent_id)s::uuid is null or consent_id = %(consent_id)s)
    and (%(agreement)s::text is null or agreement = %(agreement)s)
    and (%(person)s::uuid is null or person_key = %(person)s)
    and (%(withdrawn)s or w.consent_id is null)
order by c.recorded_at desc, c.consent_id
limit %(limit)s
"""


def list_consents(
    connection: Connection,
    *,
    agreement: str | None = None,
    person: uuid.UUID | None = None,
    withdrawn: bool = False,
    limit: int = 100,
) -> list[RecordedConsent]:
    """Give consents, the latest recorded first.

    Args:
        connection: one with the hub's own rights.
        agreement: to this one only.
        person: of this person only.
        withdrawn: those that were withdrawn, too.
        limit: the most that are returned.
    """
    values = {"consent_id": None, "agreement": agreement, "person": person and str(person)}
    return _listed(connection, values | {"withdrawn": withdrawn, "limit": limit})


def find_consent(connection: Connection, consent_id: uuid.UUID) -> RecordedConsent:
    """Give one consent.

    Raises:
        ConsentNotFound: when there is none of that id.
    """
    values = {"consent_id": str(consent_id), "agreement": None, "person": None, "withdrawn": True, "limit": 1}
    found = _listed(connection, values)
    if not found:
        raise ConsentNotFound(f"there is no consent {consent_id}")
    return found[0]


def _listed(connection: Connection, values: Mapping[str, object]) -> list[RecordedConsent]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LIST, values)
        return [
            RecordedConsent(**row | {"attributes": tuple(row["attributes"])}) for row in cursor.fetchall()
        ]
