"""A prefix of a bucket of S3 or a server compatible with it; Arrow's file system speaks to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.connect.files.stores import Version
from oncehub.errors import AuthenticationError, ConfigError

_REFUSED = re.compile(
    r"AWS Error (ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|SIGNATURE_DOES_NOT_MATCH)\b"
)


class S3Folder:
    """What lies under one prefix of a bucket, without what lies deeper."""

    def __init__(self, connection: Connection, limits: Limits, source: str) -> None:
        """Read the connection; nothing is sent yet.

        Raises:
            ConfigError: when it names no bucket, no credentials, or an endpoint that is not encrypted.
        """
        # It takes a second to load.
        from pyarrow import fs  # noqa: PLC0415

        self._where = where = f"connection of {source}"
        parts = urlsplit(connection.host)
        if not parts.netloc or parts.username:
            raise ConfigError(f"{where}: write s3://bucket/folder as host, the access key as login")
        if not connection.login or not connection.password:
            raise ConfigError(f"{where}: give the access key as login, and the secret key as password")
        self._folder = f"{parts.netloc}/{unquote(parts.path).strip('/')}".rstrip("/")
        settings: dict[str, Any] = {}
        if endpoint := connection.extra.get("endpoint"):
            at = urlsplit(str(endpoint))
            if at.scheme != "https" and at.hostname not in {"127.0.0.1", "localhost", "::1"}:
                raise ConfigError(f"{where}: endpoint in extra must begin with https://")
            settings |= {"endpoint_override": at.netloc, "scheme": at.scheme}
        self._fs = fs.S3FileSystem(
            access_key=connection.login,
            secret_key=connection.password,
            region=str(connection.extra.get("region", "us-east-1")),
            connect_timeout=limits.timeout.total_seconds(),
            request_timeout=limits.timeout.total_seconds(),
            **settings,
        )
        self._selector = fs.FileSelector(self._folder)
        self._file = fs.FileType.File

    def names(self) -> list[str]:
        """Return the names of the objects."""
        with self._speaking():
            found = self._fs.get_file_info(self._selector)
        return [each.base_name for each in found if each.type == self._file]

    def version(self, name: str, what: str) -> Version:  # noqa: ARG002 - a store's
        """Return the state of an object, by its ETag."""
        path = f"{self._folder}/{name}"
        with self._speaking():
            info = self._fs.get_file_info(path)
        if info.type != self._file:
            raise FileNotFoundError(2, "No such file")
        with self._speaking(), self._fs.open_input_stream(path, compression=None) as stream:
            metadata = {_text(key).lower(): _text(value) for key, value in (stream.metadata() or {}).items()}
        modified = info.mtime_ns or 0
        return Version(f"{metadata.get('etag')}-{info.size}-{modified}", modified / 1e9)

    @contextmanager
    def opened(self, name: str, what: str) -> Iterator[BinaryIO]:  # noqa: ARG002 - a store's
        """Open an object."""
        path = f"{self._folder}/{name}"
        with self._speaking(), self._fs.open_input_stream(path, compression=None) as stream:
            yield cast(BinaryIO, stream)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Distinguish a refused key from a server that fails; both are an `OSError` without a number."""
        try:
            yield
        except OSError as error:
            if (refused := _REFUSED.search(str(error))) is None:
                raise
            raise AuthenticationError(
                f"{self._where}: the server of the bucket refuses the access key ({refused[1]}); check login,"
                " password and region, and that the key may list the bucket and read its objects"
            ) from None

    def close(self) -> None:
        """Connections end by themselves."""


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
