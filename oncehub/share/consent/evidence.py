"""Keeps the evidence that proved the citizen of a consent, and what it is verified by later, encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from oncehub.config.identity import IdentityProvider
from oncehub.config.quantities import in_words
from oncehub.encryption.cipher import use_keys
from oncehub.encryption.payloads import consent_evidence_place
from oncehub.share.identity.evidence import Proven
from oncehub.share.identity.nonce import Asked
from oncehub.share.identity.providers import SigningKey, signing_key
from oncehub.share.request_proofs import insert
from oncehub.store.connection import Connection

Act = Literal["given", "withdrawn"]


@dataclass(frozen=True)
class Judged:
    """What evidence was judged by on its day: other terms, or a key that is gone, change nothing later.

    Attributes:
        agency: id of the agency that presented it.
        terms: the provider's document of that day.
        key: the one that signed it.
    """

    agency: str
    terms: IdentityProvider
    key: SigningKey

    @classmethod
    def of(cls, proven: Proven) -> Self:
        """Return what was proven by."""
        return cls(proven.agency, proven.terms, proven.key)

    def written(self) -> dict[str, Any]:
        """Return it as JSON."""
        since, until = self.key.days
        terms = self.terms.model_dump(mode="json", exclude={"keys", "accepted_for", "authenticated_within"})
        terms["accepted_for"] = in_words(self.terms.accepted_for)
        if self.terms.authenticated_within is not None:
            terms["authenticated_within"] = in_words(self.terms.authenticated_within)
        key = {"jwk": self.key.public, "since": since, "until": until}
        return {"agency": self.agency, "terms": terms, "key": key}

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `written` gave."""
        key = kept["key"]
        days = (date.fromisoformat(key["since"]), date.fromisoformat(key["until"]))
        terms = IdentityProvider.model_validate(kept["terms"])
        return cls(kept["agency"], terms, signing_key(key["jwk"], days, f"kept key of {terms.issuer}"))


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
        content = orjson.dumps(
            {
                "evidence": self.token,
                "asked": asdict(self.asked) | {"body": body},
                "judged_by": Judged.of(self.proven).written(),
            }
        )
        with connection.cursor() as cursor:
            ciphers = use_keys(cursor, self.home)
            encrypted = ciphers.primary.encrypt(content, consent_evidence_place(consent_id, act))
        row = {"consent_id": consent_id, "act": act, "digest": self.proven.digest}
        insert(
            connection, "share.consent_evidence", row | {"key_id": ciphers.primary_id, "content": encrypted}
        )
