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
_PIECE = 32_768
_AHEAD = 64
"""Pieces of a file that are asked for before the first of them has come."""


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
            yield cast(BinaryIO, io.BufferedReader(_Ahead(file), _PIECE))

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
        options = self._transport.get_security_options()
        # A server with several keys shows the one that is asked for first.
        kinds = set(self._pinned.values())
        options.key_types = tuple(sorted(options.key_types, key=lambda name: _kind(name) not in kinds))
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


class _Ahead(io.RawIOBase):
    """A file that is read from its start, many pieces at once: else each waits for the one before.

    Paramiko's own reading ahead of a whole file leaves a thread that never ends where the file is not read
    to its end.
    """

    def __init__(self, file: paramiko.SFTPFile) -> None:
        self._pieces = self._read(file, file.stat().st_size or 0)
        self._rest = b""

    @staticmethod
    def _read(file: paramiko.SFTPFile, size: int) -> Iterator[bytes]:
        for start in range(0, size, _PIECE * _AHEAD):
            starts = range(start, min(start + _PIECE * _AHEAD, size), _PIECE)
            yield from file.readv([(each, min(_PIECE, size - each)) for each in starts])

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from one piece."""
        piece = self._rest or next(self._pieces, b"")
        count = min(len(piece), len(buffer))
        buffer[:count], self._rest = piece[:count], piece[count:]
        return count


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a public key as `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _kind(name: str) -> str:
    """Return the kind of key that a name of an algorithm asks for (RFC 8332)."""
    return "ssh-rsa" if name.startswith("rsa-sha2-") else name


def _pinned(given: Any, where: str) -> dict[str, str | None]:
    """Return the fingerprints of the keys that a server may show, and their kinds where these are known.

    They are written as such, or as lines of known_hosts.
    """
    lines = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    found: dict[str, str | None] = {}
    for line in lines:
        words = str(line).split()
        if words and words[0].startswith("@"):
            raise ConfigError(
                f"{where}: host_key in extra has a line that begins with @, which revokes a key or names an "
                "authority; give the server's own public key, or its fingerprint `SHA256:…`"
            )
        if len(words) == 1 and words[0].startswith("SHA256:"):
            found[words[0].rstrip("=")] = None
            continue
        encoded = next((word for word in words if word.startswith("AAAA")), "")
        with suppress(ValueError):
            if encoded:
                key = base64.b64decode(encoded, validate=True)
                # RFC 4253 section 6.6: a key begins with the name of its kind, after its length.
                found[fingerprint(key)] = key[4 : 4 + int.from_bytes(key[:4])].decode("ascii")
    if len(found) < max(len(lines), 1):
        raise ConfigError(
            f"{where}: extra needs host_key, the server's public key such as `ssh-ed25519 AAAA…`, or its "
            "fingerprint `SHA256:…`; the agency gives it (ssh-keygen -lf)"
        )
    return found
