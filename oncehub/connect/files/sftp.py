"""A folder of an SFTP server, whose host key is pinned; paramiko speaks to it."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.connect.files.stores import Version
from oncehub.errors import AuthenticationError, ConfigError, SourceUnavailable
from oncehub.extras import needs_extra
from oncehub.files import MOST_KEY_BYTES, read_bounded

if TYPE_CHECKING:
    import paramiko

_PORT = 22
_AHEAD = 64
"""Pieces of a file, of 32 KB each, that are asked for before the first of them has come."""


class SftpFolder:
    """A folder of an SFTP server; it connects when it is first used."""

    def __init__(self, connection: Connection, limits: Limits, source: str) -> None:
        """Read the connection; nothing is sent yet.

        Raises:
            ConfigError: when it names no host, no host key or no credentials.
            ExtraMissing: when the packages of the extra `sftp` are not installed.
        """
        with needs_extra("sftp"):
            import paramiko  # noqa: PLC0415 - an extra
        self._paramiko = paramiko
        self._where = f"connection of {source}"
        parts = urlsplit(connection.host)
        if not parts.hostname or parts.username or parts.password:
            raise ConfigError(f"{self._where}: write sftp://host:22/folder as host, login and password apart")
        self._address = (parts.hostname, parts.port or _PORT)
        self._folder = unquote(parts.path) or "."
        self._pinned = _pinned(connection.extra.get("host_key"), self._where)
        self._login = connection.login or ""
        self._password = connection.password
        self._key = self._private_key(connection.extra.get("private_key"))
        self._seconds = limits.timeout.total_seconds()
        self._transport: paramiko.Transport | None = None
        self._client: Any = None

    def names(self) -> list[str]:
        """Return the names of all but folders."""
        with self._speaking() as client:
            listed = client.listdir_attr(self._folder)
        return [each.filename for each in listed if not stat.S_ISDIR(each.st_mode or 0)]

    def version(self, name: str, what: str) -> Version:  # noqa: ARG002 - a store's
        """Return the state of a file."""
        with self._speaking() as client:
            there = client.stat(self._path(name))
        return Version(f"{there.st_size}-{there.st_mtime}", float(there.st_mtime or 0))

    @contextmanager
    def opened(self, name: str, what: str) -> Iterator[BinaryIO]:  # noqa: ARG002 - a store's
        """Open a file; a connection that breaks while it is read is an `OSError` or `SourceUnavailable`."""
        with self._speaking() as client, client.open(self._path(name), "rb") as file:
            # Else each piece is asked for when the one before has come.
            file.prefetch(file.stat().st_size, max_concurrent_requests=_AHEAD)
            yield cast(BinaryIO, file)

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.close()
            self._transport = self._client = None

    def _path(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    @contextmanager
    def _speaking(self) -> Iterator[Any]:
        try:
            if self._client is None or self._transport is None or not self._transport.is_active():
                self._client = self._connected()
            yield self._client
        except (self._paramiko.SSHException, EOFError) as error:
            self.close()
            raise SourceUnavailable(
                f"{self._where}: the SFTP server breaks off ({type(error).__name__})"
            ) from None

    def _connected(self) -> Any:
        try:
            sock = socket.create_connection(self._address, self._seconds)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SourceUnavailable(f"{self._where}: the SFTP server does not answer: {reason}") from None
        self._transport = self._paramiko.Transport(sock)
        self._transport.banner_timeout = self._transport.auth_timeout = self._seconds
        self._transport.start_client(timeout=self._seconds)
        self._check_host_key()
        try:
            if self._key is not None:
                self._transport.auth_publickey(self._login, self._key)
            else:
                self._transport.auth_password(self._login, self._password or "", fallback=False)
        except self._paramiko.AuthenticationException:
            self.close()
            raise AuthenticationError(f"{self._where}: the SFTP server refuses the login") from None
        client = self._paramiko.SFTPClient.from_transport(self._transport)
        assert client is not None
        channel = client.get_channel()
        assert channel is not None
        channel.settimeout(self._seconds)
        return client

    def _check_host_key(self) -> None:
        """Refuse a server that shows another key, before any credential is sent.

        Raises:
            AuthenticationError: with the fingerprint that was seen.
        """
        assert self._transport is not None
        seen = self._transport.get_remote_server_key()
        shown = fingerprint(seen.asbytes())
        if shown not in self._pinned:
            self.close()
            raise AuthenticationError(
                f"{self._where}: the SFTP server shows the host key {shown} ({seen.get_name()}), which is "
                "not the one in host_key of the connection's extra; ask the agency whether it has changed"
            )

    def _private_key(self, given: Any) -> paramiko.PKey | None:
        if not isinstance(given, str) or not given:
            if self._password is None:
                raise ConfigError(f"{self._where}: give a password, or private_key in extra")
            return None
        try:
            text = (
                given
                if given.lstrip().startswith("-----BEGIN ")
                else (read_bounded(Path(given), MOST_KEY_BYTES).decode())
            )
        except (ConfigError, UnicodeDecodeError):
            raise ConfigError(f"{self._where}: private_key in extra is no file that can be read") from None
        kinds = (self._paramiko.Ed25519Key, self._paramiko.ECDSAKey, self._paramiko.RSAKey)
        for kind in kinds:
            with suppress(self._paramiko.SSHException, ValueError, IndexError):
                return kind.from_private_key(io.StringIO(text))
        raise ConfigError(f"{self._where}: private_key in extra must be an unencrypted key of SSH, as PEM")


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a public key as `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _pinned(given: Any, where: str) -> set[str]:
    """Return the fingerprints of the keys that a server may show, from these or from lines of known_hosts."""
    lines = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    found = set()
    for line in lines:
        words = str(line).split()
        if len(words) == 1 and words[0].startswith("SHA256:"):
            found.add(words[0].rstrip("="))
            continue
        encoded = next((word for word in words if word.startswith("AAAA")), "")
        with suppress(ValueError):
            if encoded:
                found.add(fingerprint(base64.b64decode(encoded, validate=True)))
    if len(found) < max(len(lines), 1):
        raise ConfigError(
            f"{where}: extra needs host_key, the server's public key such as `ssh-ed25519 AAAA…`, or its "
            "fingerprint `SHA256:…`; the agency gives it (ssh-keygen -lf)"
        )
    return found
