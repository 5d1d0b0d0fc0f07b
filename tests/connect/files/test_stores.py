"""Files on servers, by SFTP and S3: read as those of a folder are, from the server that was meant."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import requests
from moto.server import ThreadedMotoServer
from pyarrow import fs

from oncehub.config.access import Limits
from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.files import file_sets, folder
from oncehub.connect.files.folder import folder_pages, store_of
from oncehub.connect.files.sftp import fingerprint
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable

from ..rendering import csv_read

LOGIN, PASSWORD = "hub", "mật khẩu 0912345678"
ALL = Window(None, None)


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (LOGIN, PASSWORD)


class SftpServer:
    """An SFTP server over a folder, in a thread of its own."""

    def __init__(self, root: Path, user_key: asyncssh.SSHKey, *more_keys: asyncssh.SSHKey) -> None:
        self.root = root
        self.more_keys = more_keys
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._user_key = user_key
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(30)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def start() -> None:
            keys = self.root.parent / "authorized_keys"
            keys.write_bytes(self._user_key.export_public_key())
            self._server = await asyncssh.listen(
                "127.0.0.1",
                0,
                server_factory=_Login,
                server_host_keys=[self.key, *self.more_keys],
                authorized_client_keys=str(keys),
                sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self.root)),
            )
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


class Sftp:
    """Files of an SFTP server."""

    def __init__(self, server: SftpServer) -> None:
        self.server = server
        (server.root / "giao").mkdir()

    def connection(self, **changes: Any) -> Connection:
        told = {"host_key": self.server.key.export_public_key().decode()} | changes.pop("extra", {})
        host = f"sftp://127.0.0.1:{self.server.port}/giao"
        return Connection(host, **({"login": LOGIN, "password": PASSWORD, "extra": told} | changes))

    def put(self, name: str, content: bytes) -> None:
        path = self.server.root / "giao" / name
        path.write_bytes(content)
        os.utime(path, (time.time() - 3600,) * 2)

    def remove(self, name: str) -> None:
        (self.server.root / "giao" / name).unlink()


class S3:
    """Objects of a bucket."""

    def __init__(self, host: str) -> None:
        self._endpoint = f"http://{host}"
        self._fs = fs.S3FileSystem(
            access_key=LOGIN,
            secret_key="secret",
            endpoint_override=host,
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
            allow_bucket_deletion=True,
        )
        self._fs.create_dir("kho")

    def connection(self, **changes: Any) -> Connection:
        extra = {"endpoint": self._endpoint}
        return Connection(
            "s3://kho/giao", **({"login": LOGIN, "password": "secret", "extra": extra} | changes)
        )

    def put(self, name: str, content: bytes) -> None:
        with self._fs.open_output_stream(f"kho/giao/{name}", compression=None) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        self._fs.delete_file(f"kho/giao/{name}")

    def empty(self) -> None:
        self._fs.delete_dir_contents("kho")


@pytest.fixture(scope="module")
def user_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def sftp(tmp_path: Path, user_key: asyncssh.SSHKey) -> Iterator[Sftp]:
    (tmp_path / "served").mkdir()
    server = SftpServer(tmp_path / "served", user_key)
    yield Sftp(server)
    server.stop()


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3(f"{host}:{port}")
    server.stop()


@pytest.fixture
def s3(bucket: S3) -> S3:
    bucket.empty()
    return bucket


@pytest.fixture(params=["sftp", "s3"])
def remote(request: pytest.FixtureRequest) -> Sftp | S3:
    return request.getfixturevalue(request.param)


@pytest.fixture
def read(connector_of: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Reads what lies on a server, an hour later, as `a` of each row."""

    def reading(
        remote: Sftp | S3,
        *,
        checksum: str = "none",
        files: str = "*.csv",
        compression: str = "none",
        **stream: Any,
    ) -> list[Any]:
        folder_of = {"files": files, "checksum": checksum}
        form = {"format": "csv", "folder": folder_of, "compression": compression}
        connector = connector_of({"read": form, **stream})
        later = time.time() + 3600
        monkeypatch.setattr(folder.folder_pages, "__kwdefaults__", {"clock": lambda: later})
        with Source(connector, remote.connection()) as source:
            return [record["a"] for page in source.pages("items", ALL) for record in page.records]

    return reading


def test_files_are_read_by_name_replaced_and_deleted(remote: Sftp | S3, read: Callable[..., Any]) -> None:
    remote.put("b.csv", b"a\n2\n")
    remote.put("a.csv", b"a\n1\n")
    remote.put("a.csv.part", b"a\nno")
    remote.put(".b.csv.Xy12", b"a\nno")
    assert read(remote) == ["1", "2"]
    assert read(remote, files="*") == ["1", "2"]
    remote.put("a.csv", b"a\n3\n")
    remote.remove("b.csv")
    assert read(remote) == ["3"]


def test_a_half_uploaded_file_waits_or_is_found_out_by_its_checksum(
    remote: Sftp | S3, read: Callable[..., Any]
) -> None:
    whole = b"a\n1\n2\n3\n"
    remote.put("a.csv", whole)
    assert read(remote, checksum="sidecar") == []
    remote.put("a.csv.sha256", hashlib.sha256(whole).hexdigest().encode())
    assert read(remote, checksum="sidecar") == ["1", "2", "3"]
    remote.put("a.csv", whole[:4])
    with pytest.raises(SourceUnavailable, match="file 1: does not match the checksum beside it"):
        read(remote, checksum="sidecar")
    with pytest.raises(SourceUnavailable, match="does not match the checksum"):
        read(remote, checksum="sidecar", deletes={"kind": "absence"})


def test_an_object_is_read_as_it_lies_whatever_its_name(
    s3: S3, read: Callable[..., Any], connector_of: Callable[..., Connector]
) -> None:
    packed = gzip.compress(b"a\n1\n")
    s3.put("a.csv.gz", packed)
    s3.put("a.csv.gz.sha256", hashlib.sha256(packed).hexdigest().encode())
    assert read(s3, checksum="sidecar", files="*.gz", compression="gzip") == ["1"]
    assert "None" not in store_of(connector_of(), s3.connection()).version("a.csv.gz", "x").identity


def test_a_file_that_has_just_been_written_waits(
    remote: Sftp | S3, connector_of: Callable[..., Connector]
) -> None:
    remote.put("a.csv", b"a\n1\n")
    connector = connector_of()
    store = store_of(connector, remote.connection())
    form = csv_read(path=None, folder={"files": "*.csv", "checksum": "none"})
    written = store.version("a.csv", "x").modified
    at = written + folder.QUIET_SECONDS - 1
    assert [
        page.records for page in folder_pages(store, "x", form, Limits(), None, whole=False, clock=lambda: at)
    ] == [[]]
    with pytest.raises(
        SourceUnavailable, match="file 1 is not complete yet: it changed within the last minute"
    ):
        list(folder_pages(store, "x", form, Limits(), None, whole=True, clock=lambda: at))


def test_a_file_replaced_after_it_was_listed_is_not_read(
    remote: Sftp | S3, connector_of: Callable[..., Connector]
) -> None:
    remote.put("a.csv", b"a\n1\n")
    remote.put("b.csv", b"a\n2\n")
    store = store_of(connector_of(), remote.connection())
    form = csv_read(path=None, folder={"files": "*.csv", "checksum": "none"})
    pages = folder_pages(store, "x", form, Limits(), None, whole=True, clock=lambda: time.time() + 3600)
    assert next(pages).records == [{"a": "1"}]
    remote.put("b.csv", b"a\n23\n")
    with pytest.raises(SourceUnavailable, match="file 2: changed while it was read"):
        next(pages)


def test_another_host_key_is_refused_before_the_password_is_sent(
    sftp: Sftp, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sftp.put("a.csv", b"a\n1\n")
    asked: list[str] = []
    monkeypatch.setattr(_Login, "begin_auth", lambda self, name: asked.append(name) or True)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    seen = fingerprint(sftp.server.key.public_data)
    connection = sftp.connection(extra={"host_key": other})
    monkeypatch.setattr(sftp, "connection", lambda: connection)
    with pytest.raises(AuthenticationError) as caught:
        read(sftp)
    assert f"shows the host key {seen} (ssh-ed25519), which is not the one in host_key" in str(caught.value)
    assert asked == []
    monkeypatch.undo()


def test_a_host_key_may_be_pinned_by_its_fingerprint_and_must_be_pinned(
    sftp: Sftp, connector_of: Callable[..., Connector]
) -> None:
    sftp.put("a.csv", b"a\n1\n")
    pinned = sftp.connection(extra={"host_key": fingerprint(sftp.server.key.public_data)})
    assert store_of(connector_of(), pinned).names() == ["a.csv"]
    for wrong in (None, "", "SHA1:abc", "ssh-ed25519", ["SHA256:abc", "?"]):
        with pytest.raises(ConfigError, match="extra needs host_key, the server's public key"):
            store_of(connector_of(), sftp.connection(extra={"host_key": wrong}))


def test_a_marked_line_of_known_hosts_pins_nothing(
    sftp: Sftp, connector_of: Callable[..., Connector]
) -> None:
    line = sftp.server.key.export_public_key().decode()
    for mark in ("@revoked", "@cert-authority"):
        with pytest.raises(ConfigError, match="a line that begins with @"):
            store_of(connector_of(), sftp.connection(extra={"host_key": f"{mark} 127.0.0.1 {line}"}))


def test_a_server_with_keys_of_several_kinds_is_asked_for_the_pinned_one(
    tmp_path: Path, user_key: asyncssh.SSHKey, connector_of: Callable[..., Connector]
) -> None:
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    (tmp_path / "served").mkdir()
    server = SftpServer(tmp_path / "served", user_key, rsa)
    both = Sftp(server)
    for key in (rsa, server.key):
        pinned = both.connection(extra={"host_key": key.export_public_key().decode()})
        store = store_of(connector_of(), pinned)
        assert store.names() == []
        store.close()
    server.stop()


def test_a_large_file_that_is_abandoned_leaves_no_thread(
    sftp: Sftp, connector_of: Callable[..., Connector]
) -> None:
    sftp.put("a.csv", b"a\n" + b"1\n" * 4_000_000)
    store = store_of(connector_of(), sftp.connection())
    with store.opened("a.csv", "x") as file:
        assert file.read(2) == b"a\n"
    ahead = [each for each in threading.enumerate() if "prefetch" in each.name]
    for each in ahead:
        each.join(5)
    assert not any(each.is_alive() for each in ahead)
    assert store.names() == ["a.csv"]
    store.close()


def test_credentials_are_a_password_or_a_key(
    sftp: Sftp, user_key: asyncssh.SSHKey, connector_of: Callable[..., Connector], tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(user_key.export_private_key())
    for given in (str(path), path.read_text()):
        store = store_of(connector_of(), sftp.connection(password=None, extra={"private_key": given}))
        assert store.names() == []
        store.close()
    with pytest.raises(AuthenticationError, match="the SFTP server refuses the login") as caught:
        store_of(connector_of(), sftp.connection(password="sai 0912345678")).names()
    assert "0912345678" not in str(caught.value)
    with pytest.raises(ConfigError, match="give a password, or private_key in extra"):
        store_of(connector_of(), sftp.connection(password=None))


def test_a_server_that_does_not_answer_may_come_back(
    sftp: Sftp, connector_of: Callable[..., Connector]
) -> None:
    extra = sftp.connection().extra
    away = Connection("sftp://127.0.0.1:1/giao", login=LOGIN, password=PASSWORD, extra=extra)
    with pytest.raises(SourceUnavailable, match="the SFTP server does not answer: Connection refused"):
        store_of(connector_of(), away).names()


def test_a_bucket_takes_credentials_and_an_encrypted_endpoint(
    s3: S3, connector_of: Callable[..., Connector]
) -> None:
    for changes, told in (
        ({"login": None}, "give the access key as login"),
        ({"extra": {"endpoint": "http://s3.example"}}, "endpoint in extra must begin with https://"),
    ):
        with pytest.raises(ConfigError, match=told):
            store_of(connector_of(), s3.connection(**changes))


def test_a_bucket_that_refuses_the_key_says_so(s3: S3, read: Callable[..., Any]) -> None:
    s3.put("a.csv", b"a\n1\n")
    unchecked = f"{s3.connection().extra['endpoint']}/moto-api/reset-auth"
    requests.post(unchecked, data=b"0", timeout=30)
    try:
        with pytest.raises(AuthenticationError, match=r"refuses the access key \(INVALID_ACCESS_KEY_ID\)"):
            read(s3)
    finally:
        requests.post(unchecked, data=b"inf", timeout=30)


def test_a_large_file_is_copied_in_pieces_and_has_a_bound(
    remote: Sftp | S3, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = b"".join(b"%d\n" % number for number in range(400_000))
    remote.put("a.csv", b"a\n" + rows)
    assert len(read(remote)) == 400_000
    monkeypatch.setattr(file_sets, "SLICE_BYTES", 1)
    form = csv_read(path=None, folder={"files": "*.csv", "checksum": "none"})
    limits = Limits(file_bytes=1_000_000)
    connector = Connector.load(Path(__file__).parents[3] / "connectors/customs/connector.yaml")
    store = store_of(connector, remote.connection())
    with pytest.raises(ContractBroken, match=r"file 1: is larger than limits.file_bytes \(1000000\)"):
        list(folder_pages(store, "x", form, limits, None, whole=True, clock=lambda: time.time() + 3600))
