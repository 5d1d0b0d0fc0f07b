"""Keeps the evidence that proved the citizen of a consent, encrypted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import orjson

from oncehub.encryption.cipher import use_keys
from oncehub.encryption.payloads import consent_evidence_place
from oncehub.share.identity.evidence import Proven
from oncehub.share.identity.nonce import Asked
from oncehub.store.connection import Connection

Act = Literal["given", "withdrawn"]

_KEEP: Final = """
insert into share.consent_evidence (consent_id, act, digest, key_id, content)
values (%s::uuid, %s, %s, %s, %s)
"""


@dataclass(frozen=True)
class Evidence:
    """Evidence that was verified.

    Attributes:
        home: of the hub, with the key ring.
        token: as it was received.
        asked: the request that it is for.
        proven: what it proves.
    """

    home: Path
    token: str
    asked: Asked
    proven: Proven

    def keep(self, connection: Connection, consent_id: str, act: Act) -> None:
        """Keep it within the caller's transaction; needs no right to read it back."""
        body = {name: value for name, value in self.asked.body.items() if name != "evidence"}
        content = orjson.dumps({"evidence": self.token, "asked": asdict(self.asked) | {"body": body}})
        with connection.cursor() as cursor:
            ciphers = use_keys(cursor, self.home)
            encrypted = ciphers.primary.encrypt(content, consent_evidence_place(consent_id, act))
            cursor.execute(_KEEP, (consent_id, act, self.proven.digest, ciphers.primary_id, encrypted))
