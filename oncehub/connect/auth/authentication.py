"""Chooses the authentication of a source by its connector and connection."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from oncehub.config.access import ApiKey, Auth, Basic, Bearer, Hmac, HttpSignature, OAuth2, UsernameToken
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.auth.oauth import (
    BearerTokens,
    client_secret_basic,
    client_secret_post,
    private_key_jwt,
)
from oncehub.connect.auth.private_keys import private_key_of
from oncehub.connect.auth.signatures import MessageSignatures, SignedRequests
from oncehub.connect.auth.static_credentials import (
    KeyInCookie,
    KeyInHeader,
    KeyInQuery,
    basic,
    bearer,
    without_parameter,
)
from oncehub.connect.auth.username_token import UsernameTokens
from oncehub.connect.http.requester import Authentication, Requester
from oncehub.errors import ConfigError

_FIT_FOR_HEADER = re.compile(r"[\x21-\x7e]+")
_FIT_FOR_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")
"""RFC 6265 section 4.1.1: no blank, quote, comma, semicolon or backslash."""


def authentication_of(
    connector: Connector, connection: Connection, requester: Requester
) -> Authentication | None:
    """Return what signs requests to the source; None where the session proves the hub, or no proof is asked.

    Args:
        connector: says how.
        connection: has the credentials.
        requester: fetches tokens; it has no authentication of its own.

    Raises:
        ConfigError: when the connection lacks what the kind needs.
    """
    source = connector.source
    match connector.auth:
        case ApiKey() | Basic() | Bearer() as stated:
            return _fixed(stated, source, connection)
        case UsernameToken():
            login = _login(source, connection, "user name")
            return UsernameTokens(login, _password(source, connection, "password"), source)
        case Hmac() as headers:
            key_id = _login(source, connection, "key id", _FIT_FOR_HEADER)
            return SignedRequests(headers, key_id, _password(source, connection, "signing secret"))
        case HttpSignature() as stated:
            return _message_signatures(stated, connector, connection)
        case OAuth2() as stated:
            return _tokens(stated, source, connection, requester)
        case _:
            return None


def without_key(auth: Auth, url: str) -> str:
    """Return an address that a source has given, without the key in it, so that it can be stored."""
    return without_parameter(url, auth.query) if isinstance(auth, ApiKey) and auth.query else url


def _fixed(stated: ApiKey | Basic | Bearer, source: str, connection: Connection) -> Authentication:
    match stated:
        case Basic():
            login = _login(source, connection, "user name")
            return basic(login, _password(source, connection, "password"))
        case Bearer():
            return bearer(_password(source, connection, "token", _FIT_FOR_HEADER))
        case ApiKey(header=str(header)):
            return KeyInHeader(header, _password(source, connection, "API key", _FIT_FOR_HEADER))
        case ApiKey(query=str(parameter)):
            return KeyInQuery(parameter, _password(source, connection, "API key"))
        case _:
            return KeyInCookie(str(stated.cookie), _password(source, connection, "API key", _FIT_FOR_COOKIE))


def _message_signatures(
    stated: HttpSignature, connector: Connector, connection: Connection
) -> MessageSignatures:
    source = connector.source
    key_id = _login(source, connection, "key id", _FIT_FOR_HEADER)
    key: Any
    if stated.algorithm == "hmac-sha256":
        key = _password(source, connection, "signing secret").encode()
    else:
        key = private_key_of(source, connection).private_key
    return MessageSignatures(stated, key_id, key, str(connector.where("auth")))


def _tokens(stated: OAuth2, source: str, connection: Connection, requester: Requester) -> BearerTokens:
    url = stated.token_path
    if url.startswith("/"):
        url = connection.host + url
    client = _client(stated, source, connection, url)
    requester = replace(requester, authentication=client)
    known = connection.credentials
    return BearerTokens(requester, url, scope=stated.scope, what=f"{source}: token", credentials=known)


def _client(stated: OAuth2, source: str, connection: Connection, url: str) -> Authentication:
    client_id = _login(source, connection, "client id")
    if stated.client_auth == "private_key_jwt":
        key = private_key_of(source, connection)
        key_id = connection.extra.get("key_id")
        try:
            return private_key_jwt(client_id, key, key_id, stated.audience or url, stated.algorithm)
        except ConfigError as error:
            raise ConfigError(f"connection of {source}: {error}") from None
    secret = _password(source, connection, "client secret")
    if stated.client_auth == "client_secret_post":
        return client_secret_post(client_id, secret)
    return client_secret_basic(client_id, secret)


def _login(source: str, connection: Connection, meaning: str, fit: re.Pattern[str] | None = None) -> str:
    return _fit(source, "login", connection.login, meaning, fit)


def _password(source: str, connection: Connection, meaning: str, fit: re.Pattern[str] | None = None) -> str:
    return _fit(source, "password", connection.password, meaning, fit)


def _fit(source: str, name: str, value: str | None, meaning: str, fit: re.Pattern[str] | None) -> str:
    if not value:
        raise ConfigError(f"connection of {source}: {name} is missing; give the {meaning}")
    if fit and not fit.fullmatch(value):
        raise ConfigError(
            f"connection of {source}: {name} holds a character that its place in a request cannot carry;"
            f" give the {meaning} without blanks, line ends and accents"
        )
    return value
