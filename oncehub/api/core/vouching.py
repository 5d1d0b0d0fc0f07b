"""Finds out who vouches for the citizen who acts: an identity provider, a proven officer, or the client."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from pydantic import Field

from oncehub.api.core.audited_request import AuditedRequest
from oncehub.api.core.hub import Hub
from oncehub.errors import EvidenceRefused
from oncehub.share.identity.evidence import Expected, Proven, use_up, verify_evidence
from oncehub.share.identity.nonce import Asked

EvidenceToken = Annotated[
    str | None,
    Field(
        max_length=16_384,
        description="The ID token by which an identity provider proves the citizen for this request alone: "
        "its nonce is computed from the request.",
    ),
]


@dataclass(frozen=True)
class Sent:
    """A body as it was sent, before any model reads it."""

    body: Mapping[str, Any]

    @property
    def evidence(self) -> str | None:
        """The evidence in it, if there is any."""
        return self.body.get("evidence")


async def _sent(request: Request) -> Sent:
    # What is no object is refused afterwards, as it does not match its description.
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        content = None
    return Sent(content if isinstance(content, dict) else {})


TheBody = Annotated[Sent, Depends(_sent)]


@dataclass(frozen=True)
class Vouched:
    """The citizen who acts.

    Attributes:
        number: their personal number; None where a proven officer vouches for whom the request is about.
        evidence: the token, what it is for, and what it proves; None where no identity provider vouches.
    """

    number: str | None
    evidence: tuple[str, Asked, Proven] | None = None


def vouched_citizen(hub: Hub, request: AuditedRequest, sent: Sent, path: str) -> Vouched:
    """Return the citizen who acts, and note for the log who vouches for them.

    Args:
        hub: its identity providers.
        request: opened, of an action of citizens.
        sent: the body, with the evidence if there is any.
        path: of the request, with ids in their usual form.

    Raises:
        EvidenceRefused: when nobody vouches, or the evidence fails a check.
    """
    allowed, caller = request.agreement.citizens, request.caller
    if sent.evidence is not None:
        return _proven(hub, request, sent, path)
    if caller.citizen is not None and request.action in allowed.claimed:
        request.vouched_by = "client"
        return Vouched(caller.citizen)
    if caller.officer is not None and caller.officer_proven and request.action in allowed.at_counter:
        request.vouched_by = "officer"
        return Vouched(None)
    raise EvidenceRefused(
        "missing",
        "nothing proves the citizen: send as evidence an ID token of their identity provider for this request"
        + ("; at a counter a proven officer may vouch" if request.action in allowed.at_counter else ""),
    )


def _proven(hub: Hub, request: AuditedRequest, sent: Sent, path: str) -> Vouched:
    caller = request.caller
    if caller.officer is not None and not caller.officer_proven:
        raise EvidenceRefused(
            "officer", "evidence of a citizen goes with no officer, or with one who is proven as well"
        )
    asked = Asked(hub.issuer, caller.client_id, request.agreement.name, f"POST {path}", sent.body)
    expected = Expected("citizens", request.agreement.agency.id, asked.nonce(), time.time())
    token = str(sent.evidence)
    proven = verify_evidence(hub.identity_providers.current(), token, expected)
    if caller.citizen not in (None, proven.subject):
        raise EvidenceRefused("subject", "the evidence is of another citizen than the token names")
    use_up(request.connection, proven)
    request.vouched_by = "provider"
    return Vouched(proven.subject, (token, asked, proven))
