"""`mappings/identity_providers/*.yaml`: who proves citizens and officers, by which keys and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oncehub.config.agreements import AgencyId, AgreementName, Validity
from oncehub.config.documents import Document
from oncehub.config.quantities import Duration

LONGEST_ACCEPTED = timedelta(days=1)
"""The most that `accepted_for` may be: evidence is remembered that long, so that it is not used twice."""

_Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class ProviderKeys(Validity):
    """A set of public keys of a provider, and the first and last day on which it signs with them.

    Attributes:
        file: a JWK Set (RFC 7517), beside the document.
    """

    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class IdentityProvider(Document):
    """An OpenID Connect provider whose ID tokens the hub accepts as evidence of who acts.

    Attributes:
        name: equals the file's name.
        issuer: what its ID tokens name as `iss`.
        proves: citizens, by personal number, or officers of the agencies in `audiences`.
        audiences: the client ids at the provider, `aud` of its ID tokens, of each agency that may present
            them.
        acr: the levels of authentication that are enough, as the claim `acr` has them; `any` where the
            provider has one level, and states none.
        subject: the claim that holds the personal number, or the officer.
        accepted_for: how long after `iat` an ID token is accepted.
        authenticated_within: the longest time since the person signed in (`auth_time`); any where absent.
        keys: its keys, also former ones: kept evidence is verified by the keys of its day. Without a key
            nobody is proven.
    """

    name: AgreementName
    issuer: _Text
    proves: Literal["citizens", "officers"]
    audiences: Annotated[
        dict[AgencyId, Annotated[tuple[_Text, ...], Field(min_length=1)]], Field(min_length=1)
    ]
    acr: Annotated[tuple[_Text, ...], Field(min_length=1)] | Literal["any"]
    subject: _Text = "sub"
    accepted_for: Annotated[Duration, Field(le=LONGEST_ACCEPTED)] = timedelta(minutes=10)
    authenticated_within: Duration | None = None
    keys: tuple[ProviderKeys, ...] = ()
