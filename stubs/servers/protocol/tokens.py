"""OAuth2 client credentials (RFC 6749, section 4.4) with bearer tokens that live 300 seconds by default."""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, unquote_plus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from stubs.servers.protocol.refusals import Refusal, json_answer, unauthorised

TOKEN_SECONDS = 300


class TokenIssuer:
    """Issues and checks the tokens of one system for one client.

    `required_scope`, where given, must be among the scopes a token request names.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        required_scope: str | None = None,
        seconds: int = TOKEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client_id, client_secret
        self._scope = required_scope
        self._seconds = seconds
        self._clock = clock
        self._expiry: dict[str, float] = {}

    async def issue(self, request: Request) -> Response:
        """Endpoint `POST` of the token path."""
        body = await request.body()
        return await run_in_threadpool(self._issue, request, body)

    def check(self, request: Request) -> None:
        """Lets a request with a live bearer token pass, refuses any other with 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorised("missing_token", "a bearer token is required", challenge="Bearer")
        if self._expiry.get(token, 0.0) <= self._clock():
            raise unauthorised(
                "invalid_token", "unknown or expired token", challenge='Bearer error="invalid_token"'
            )

    def authenticate(self, request: Request, form: Mapping[str, str]) -> None:
        """Refuses with 401 a token request whose header or form does not hold the client's id and secret."""
        given = _client_of(request, form) or ("", "")
        right = [
            hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, self._client, strict=True)
        ]
        if not all(right):
            raise unauthorised("invalid_client", "unknown client or wrong secret", challenge="Basic")

    def expire_all(self) -> None:
        """Makes every issued token expire now."""
        self._expiry.clear()

    def _issue(self, request: Request, body: bytes) -> Response:
        form = _form(request, body)
        if form.get("grant_type") != "client_credentials":
            raise _refused("unsupported_grant_type", "grant_type must be client_credentials")
        self.authenticate(request, form)
        if self._scope and self._scope not in form.get("scope", "").split(" "):
            raise _refused("invalid_scope", f"scope must contain {self._scope}")
        answer: dict[str, object] = {"access_token": self._new_token(), "token_type": "Bearer"}
        answer["expires_in"] = self._seconds
        if self._scope:
            answer["scope"] = self._scope
        return json_answer(answer, headers={"Cache-Control": "no-store"})

    def _new_token(self) -> str:
        now = self._clock()
        for token in [token for token, expiry in list(self._expiry.items()) if expiry <= now]:
            self._expiry.pop(token, None)
        token = secrets.token_urlsafe(32)
        self._expiry[token] = now + self._seconds
        return token


def _form(request: Request, body: bytes) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise _refused("invalid_request", "the body must be a URL-encoded form")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    except ValueError:
        raise _refused("invalid_request", "the body is not a URL-encoded form") from None
    if len(dict(pairs)) != len(pairs):
        raise _refused("invalid_request", "a parameter is given more than once")
    return dict(pairs)


def _client_of(request: Request, form: Mapping[str, str]) -> tuple[str, str] | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return (
            (form["client_id"], form["client_secret"])
            if {"client_id", "client_secret"} <= form.keys()
            else None
        )
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote_plus(name), unquote_plus(password)) if colon else None


def _refused(error: str, message: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": message})
