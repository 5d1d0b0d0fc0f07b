"""How a source is reached: credentials and limits, as `connector.yaml` writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from oncehub.config.documents import Section
from oncehub.config.quantities import Duration, Rate, Written

UrlPath = Annotated[str, Written(r"^/\S*$", "write a path that begins with /; the host is the connection's")]
HeaderName = Annotated[
    str, Written(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "write a header's name such as X-Api-Key")
]


class NoAuth(Section):
    """The source needs no credentials."""

    kind: Literal["none"]


class ApiKey(Section):
    """A fixed key in one header, query parameter or cookie; the key is the connection's password."""

    kind: Literal["api_key"]
    header: HeaderName | None = None
    query: str | None = None
    cookie: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> ApiKey:
        if sum(place is not None for place in (self.header, self.query, self.cookie)) != 1:
            raise ValueError("give exactly one of header, query and cookie")
        return self


class Basic(Section):
    """HTTP Basic (RFC 7617); login and password are the connection's."""

    kind: Literal["basic"]


class UsernameToken(Section):
    """WS-Security UsernameToken with a password digest, in a SOAP envelope; login and password as `basic`."""

    kind: Literal["username_token"]


class Bearer(Section):
    """A fixed bearer token (RFC 6750), the connection's password."""

    kind: Literal["bearer"]


Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""RFC 7518, RFC 8037 and RFC 9864."""


class OAuth2(Section):
    """OAuth 2.0 client credentials (RFC 6749 section 4.4); the connection's login is the client id.

    Attributes:
        token_path: path, or https:// address of another host, of the token endpoint.
        scope: sent as `scope`; several are separated by spaces.
        client_auth: how the client proves itself, by the names of RFC 8414; the secret is the connection's
            password, the private key the file named by `private_key` in its extra (RFC 7523).
        audience: `aud` of a private_key_jwt; the token endpoint's address unless given.
        algorithm: `alg` of a private_key_jwt; that of the JWK, or by the kind of key, unless given.
    """

    kind: Literal["oauth2"]
    token_path: Annotated[
        str, Written(r"^(/|https://)\S*$", "write a path that begins with /, or an https:// address")
    ]
    scope: str | None = None
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    audience: str | None = None
    algorithm: Algorithm | None = None

    @model_validator(mode="after")
    def _only_of_keys(self) -> OAuth2:
        if self.algorithm and self.client_auth != "private_key_jwt":
            raise ValueError("algorithm belongs to client_auth: private_key_jwt; remove it")
        return self


class Hmac(Section):
    """HMAC-SHA256 over method, path, query, timestamp and body digest, one a line."""

    kind: Literal["hmac"]
    key_id_header: HeaderName
    timestamp_header: HeaderName
    signature_header: HeaderName


class HttpSignature(Section):
    """HTTP message signatures (RFC 9421); the connection's login is the key id.

    Attributes:
        algorithm: hmac-sha256 signs with the connection's password, the others with the private key in the
            file named by `private_key` in its extra.
        components: what is covered, in order.
        label: name of the signature.
        expires: how long one is valid; left out, signatures have no end.
    """

    kind: Literal["http_signature"]
    algorithm: Literal["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512"]
    components: Annotated[tuple[str, ...], Field(min_length=1)] = ("@method", "@target-uri")
    label: Annotated[str, StringConstraints(pattern=r"^[a-z*][a-z0-9_.*-]*$")] = "sig1"
    expires: Duration | None = None


class MutualTls(Section):
    """Client certificate; the connection's extra names `client_certificate`, `client_key` and `ca`."""

    kind: Literal["mutual_tls"]


Auth = Annotated[
    NoAuth | ApiKey | Basic | Bearer | OAuth2 | Hmac | HttpSignature | MutualTls | UsernameToken,
    Field(discriminator="kind"),
]


class Limits(Section):
    """What the source can bear from all tasks of its connection together.

    Attributes:
        requests: at most this many a second.
        burst: this many may begin at once after a pause.
        concurrency: at most this many are under way at a time.
        timeout: for one response.
        attempts: tries of one request before the run fails.
        longest_wait: a Retry-After beyond this fails the run (to be tried later) instead of sleeping.
        page_bytes: a larger response is refused.
        file_bytes: a larger file is refused, unpacked.
    """

    requests: Rate = 20.0
    burst: Annotated[int, Field(ge=1, le=1000)] = 1
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    timeout: Duration = timedelta(seconds=30)
    attempts: Annotated[int, Field(ge=1, le=10)] = 5
    longest_wait: Duration = timedelta(minutes=1)
    page_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    file_bytes: Annotated[int, Field(ge=1024)] = 4 * 1024 * 1024 * 1024
