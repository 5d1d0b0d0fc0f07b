"""What others attest: real witnesses and a real authority (openssl ts), on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from oncehub.audit.signing.anchors import anchor_place, read_anchors
from oncehub.audit.signing.archive_verification import verify_archive
from oncehub.audit.signing.attestations import attestors
from oncehub.audit.signing.checkpoints import CheckpointReport, write_checkpoints
from oncehub.audit.signing.export import export
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import Verification, verify_database
from oncehub.audit.tlog.answering import answering
from oncehub.audit.tlog.notes import COSIGNATURE, Checkpoint, Note, NoteKey, VerifierKey
from oncehub.audit.tlog.witness import Refused, Witness, WitnessSettings, submit
from oncehub.settings import Settings
from oncehub.store.connection import Connection

from ..conftest import add_lines
from .time_authority import authority_server, make_authority

NAME = "ombudsman.example.vn/witness"

# Debian builds Go's programs so that they know no route that has a method otherwise.
ROUTING = {**os.environ, "GODEBUG": "httpmuxgo121=0"}


@dataclass(frozen=True)
class RunningWitness:
    url: str
    key: VerifierKey


def signed(settings: Settings, database: Connection, lines: int, first: int) -> CheckpointReport:
    add_lines(database, lines, first=first)
    return write_checkpoints(settings, anchor_anew=True)


def verified(settings: Settings, database: Connection) -> Verification:
    key = signing_key(settings.home)
    return verify_database(database, {key.id: key.private}, None, others=attestors())


def put_back(database: Connection, number: int, size: int) -> None:
    """Put the database back to an earlier checkpoint, as a copy of its files does."""
    with database, database.cursor() as cursor:
        cursor.execute(f"""
            set local session_replication_role = replica;
            delete from audit.attestation where number > {number};
            delete from audit.checkpoint where number > {number};
            delete from audit.leaf where index >= {size};
            delete from audit.subtree where (index + 1) << (8 * level) > {size};
            delete from audit.entry where entry_id > {size};
        """)


def read_note(database: Connection) -> str:
    with database, database.cursor() as cursor:
        cursor.execute("select note from audit.checkpoint order by number desc limit 1")
        ((note,),) = cursor.fetchall()
    return str(note)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    raise AssertionError("the witness does not listen")


@contextmanager
def litewitness(folder: Path, key: VerifierKey, seen: Checkpoint) -> Iterator[RunningWitness]:
    """Run the witness of another project, which has seen a checkpoint, and whose key an ssh-agent holds."""
    folder.mkdir()
    database, agent, port = folder / "witness.db", folder / "agent", free_port()
    run = subprocess.run
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    holding = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
    watching = None
    try:
        deadline = time.monotonic() + 30
        while not agent.exists() and time.monotonic() < deadline:
            assert holding.poll() is None
        environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        run(["ssh-add", "-q", folder / "key"], check=True, env=environment)
        listed = run(["ssh-add", "-l"], check=True, capture_output=True, text=True, env=environment)
        for command in (["add-log"], ["add-key", "-key", str(key)]):
            named = ("witnessctl", *command[:1], "-db", database, "-origin", key.name)
            run([*named, *command[1:]], check=True, capture_output=True)
        with closing(sqlite3.connect(database)) as memory, memory:
            root = base64.b64encode(seen.root).decode()
            done = memory.execute("update log set tree_size = ?, tree_hash = ?", (seen.size, root))
            assert done.rowcount == 1
        address, key_hash = f"127.0.0.1:{port}", listed.stdout.split()[1]
        named = ("litewitness", "-db", database, "-name", NAME, "-listen", address)
        watching = subprocess.Popen(
            [*named, "-ssh-agent", agent, "-key", key_hash],
            env=ROUTING,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
        )
        wait_for(port, watching)
        public = base64.b64decode((folder / "key.pub").read_text("utf-8").split()[1])[-32:]
        yield RunningWitness(f"http://127.0.0.1:{port}", VerifierKey(NAME, public, COSIGNATURE))
    finally:
        for process in (watching, holding):
            if process:
                process.terminate()
                process.wait(timeout=30)


@contextmanager
def sigsum_witness(folder: Path, log: VerifierKey) -> Iterator[RunningWitness]:
    """Run the witness of the Sigsum project, which cosigns one log and remembers it in a file."""
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    written = b"".join(len(part).to_bytes(4) + part for part in (b"ssh-ed25519", log.public))
    (folder / "log.pub").write_text(f"ssh-ed25519 {base64.b64encode(written).decode()} log\n", "utf-8")
    port = free_port()
    named = (
        "--signing-key",
        folder / "key",
        "--log-key",
        folder / "log.pub",
        "--state-file",
        folder / "state",
    )
    watching = subprocess.Popen(["sigsum-witness", *named, f"127.0.0.1:{port}"], env=ROUTING)
    try:
        wait_for(port, watching)
        public = base64.b64decode((folder / "key.pub").read_text("utf-8").split()[1])[-32:]
        name = f"sigsum.org/v1/witness/{sha256(public).hexdigest()}"
        yield RunningWitness(f"http://127.0.0.1:{port}", VerifierKey(name, public, COSIGNATURE))
    finally:
        watching.terminate()
        watching.wait(timeout=30)


@contextmanager
def own_witness(folder: Path, origin: str, key: VerifierKey) -> Iterator[RunningWitness]:
    """Run `oncehub audit witness --listen` in this process."""
    own = NoteKey.of(NAME, b"w" * 32, COSIGNATURE)
    with answering(Witness(folder, own, {origin: [key]}).answer, "127.0.0.1", 0) as url:
        yield RunningWitness(url, own.verifier)


@pytest.fixture
def log_key(settings: Settings) -> VerifierKey:
    return signing_key(settings.home).named(settings.audit_origin).verifier


@pytest.fixture
def witness(
    log_key: VerifierKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningWitness]:
    with own_witness(tmp_path / "witness", log_key.name, log_key) as running:
        monkeypatch.setenv("ONCEHUB_AUDIT_WITNESSES", f"{running.key} {running.url}")
        yield running


def test_a_witness_cosigns_what_continues_and_refuses_a_fork(
    settings: Settings, database: Connection, witness: RunningWitness, tmp_path: Path
) -> None:
    for lines, first in ((3, 0), (300, 3)):
        report = signed(settings, database, lines, first)
        assert (report.attested, report.lacking) == (1, [])
    assert write_checkpoints(settings).attested == 1
    outcome = verified(settings, database)
    assert (outcome.findings, outcome.attested, outcome.unknown) == ([], 2, 0)
    export(settings, tmp_path / "log")
    note = Note.parse((tmp_path / "log" / "checkpoint").read_bytes())
    assert [key.name for key in note.signed_by([witness.key])] == [NAME]
    key = signing_key(settings.home)
    anchors = read_anchors(anchor_place(settings))
    published = verify_archive(tmp_path / "log", {key.id: key.private}, anchors, attestors())
    assert (published.findings, published.attested) == ([], 1)

    # The database is put back, and the log goes on otherwise: a fork, first longer and then as long.
    for lines in (400, 300):
        put_back(database, 1, 3)
        anchor_place(settings).unlink()
        forked = signed(settings, database, lines, 1000)
        assert forked.checkpoints == 1
        assert forked.attested == 0
        assert forked.lacking[0].startswith(str(witness.key))
    put_back(database, 1, 3)
    anchor_place(settings).unlink()
    (rolled_back,) = signed(settings, database, 1, 2000).lacking
    assert "it has cosigned another tree, of 303 entries; this one has 4" in rolled_back


def needs(package: str, *commands: str) -> None:
    """Skip where software of others is missing, and say so; `.ci/run` installs it."""
    if not all(map(shutil.which, commands)):
        why = f"{commands[0]} is not installed: NO WITNESS OF OTHERS IS ASKED (apt-get install {package})"
        warnings.warn(why, stacklevel=1)
        pytest.skip(why)


def test_the_witness_of_another_project_cosigns_our_log_and_refuses_its_fork(
    settings: Settings, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("sigsum-go", "sigsum-witness", "ssh-keygen")
    public = signing_key(settings.home).named(settings.audit_origin).verifier.public
    # It cosigns logs whose name is made of their key.
    settings = replace(settings, audit_origin=f"sigsum.org/v1/tree/{sha256(public).hexdigest()}")
    key = signing_key(settings.home).named(settings.audit_origin).verifier
    with sigsum_witness(tmp_path / "witness", key) as running:
        monkeypatch.setenv("ONCEHUB_AUDIT_WITNESSES", f"{running.key} {running.url}")
        for lines, first in ((3, 0), (300, 3)):
            report = signed(settings, database, lines, first)
            assert (report.attested, report.lacking) == (1, [])
        outcome = verified(settings, database)
        assert (outcome.findings, outcome.attested, outcome.unknown) == ([], 2, 0)
        export(settings, tmp_path / "log")
        note = Note.parse((tmp_path / "log" / "checkpoint").read_bytes())
        assert [each.name for each in note.signed_by([running.key])] == [running.key.name]
        own = signing_key(settings.home)
        anchors = read_anchors(anchor_place(settings))
        published = verify_archive(tmp_path / "log", {own.id: own.private}, anchors, attestors())
        assert (published.findings, published.attested) == ([], 1)
        for lines in (400, 300, 1):
            put_back(database, 1, 3)
            anchor_place(settings).unlink()
            (refused,) = signed(settings, database, lines, 1000 * lines).lacking
            assert refused.startswith(str(running.key)), refused


def test_the_witness_of_another_project_verifies_our_proofs_and_refuses_our_fork(
    settings: Settings,
    database: Connection,
    log_key: VerifierKey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs("litetlog", "litewitness", "witnessctl", "ssh-agent")
    signed(settings, database, 3, 0)
    note = Note.parse(read_note(database))
    with litewitness(tmp_path / "witness", log_key, Checkpoint.parse(note.text)) as running:
        monkeypatch.setenv("ONCEHUB_AUDIT_WITNESSES", f"{running.key} {running.url}")
        continued = signed(settings, database, 300, 3)
        # What Debian builds breaks down as it stores what it has verified, and closes the connection.
        assert continued.attested or "it does not answer" in continued.lacking[0]
        panicked = "sqlitex.setArg" in (tmp_path / "witness" / "log").read_text("utf-8")
        assert panicked or continued.attested
        put_back(database, 0, 0)
        anchor_place(settings).unlink()
        (forked,) = signed(settings, database, 400, 1000).lacking
        assert "it answers 422" in forked
        monkeypatch.setenv("ONCEHUB_KEY_SIGNING", "A" * 43 + "=")
        add_lines(database, 1, first=2000)
        (stranger,) = write_checkpoints(settings, new_key=True).lacking
        assert "it answers 403" in stranger


def test_a_bent_cosignature_is_named_and_one_of_a_stranger_is_counted(
    settings: Settings,
    database: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = signing_key(settings.home).named(settings.audit_origin).verifier
    with own_witness(tmp_path / "witness", settings.audit_origin, key) as running:
        monkeypatch.setenv("ONCEHUB_AUDIT_WITNESSES", f"{running.key} {running.url}")
        assert signed(settings, database, 1, 0).attested == 1
    assert verified(settings, database).attested == 1
    # It is away now: what is signed is signed, and asked again for.
    away = signed(settings, database, 1, 1)
    assert (away.checkpoints, away.attested) == (1, 0)
    assert "it does not answer" in away.lacking[0]
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update audit.attestation set content = set_byte(content, 60, 65)")
    (bent,) = verified(settings, database).findings
    assert (bent.what, bent.checkpoint) == ("forged", 1)
    assert f"its cosignature by {NAME} is not the witness's" in bent.detail
    monkeypatch.delenv("ONCEHUB_AUDIT_WITNESSES")
    assert verified(settings, database).unknown == 1


def test_a_witness_answers_as_the_protocol_says(tmp_path: Path) -> None:
    log = NoteKey.of("log.example", b"l" * 32)
    watching = Witness(tmp_path, NoteKey.of(NAME, b"w" * 32, COSIGNATURE), {"log.example": [log.verifier]})
    one = Checkpoint("log.example", 1, b"1" * 32)

    def status(body: str) -> int:
        return watching.add_checkpoint(body.encode()).status

    assert status("nonsense") == 400
    assert status(f"old 01\n\n{one.sign(log)}") == 400
    assert status(f"old 2\n\n{one.sign(log)}") == 400
    assert status(f"old 0\n\n{Checkpoint('other.example', 1, b'1' * 32).sign(log)}") == 404
    assert status(f"old 0\n\n{one.sign(NoteKey.of('log.example', b'x' * 32))}") == 403
    assert status(f"old 0\n\n{str(one.sign(log)).replace(' ', '  ', 1)}") == 400
    assert status(f"old 0\n\n{one.sign(log)}") == 200
    assert status(f"old 1\n\n{one.sign(log)}") == 200
    again = watching.add_checkpoint(f"old 0\n\n{one.sign(log)}".encode())
    assert (again.status, again.text, again.kind) == (409, "1\n", "text/x.tlog.size")
    assert status(f"old 1\n\n{Checkpoint('log.example', 1, b'2' * 32).sign(log)}") == 409
    assert status(f"old 1\n\n{Checkpoint('log.example', 2, b'2' * 32).sign(log)}") == 422
    # It remembers over a restart.
    anew = Witness(tmp_path, NoteKey.of(NAME, b"w" * 32, COSIGNATURE), {"log.example": [log.verifier]})
    assert anew.last("log.example") == one


def test_an_answer_that_is_no_cosignature_is_refused(tmp_path: Path) -> None:
    log = NoteKey.of("log.example", b"l" * 32)
    note = Checkpoint("log.example", 1, b"1" * 32).sign(log)
    with own_witness(tmp_path, "log.example", log.verifier) as running:
        other = WitnessSettings(running.url, NoteKey.of(NAME, b"o" * 32, COSIGNATURE).verifier)
        with pytest.raises(Refused, match="no cosignature by its key"):
            submit(other, note, 0, lambda _: [])


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A time-stamping authority's folder: its root, its certificate and its key."""
    folder = tmp_path_factory.mktemp("authority")
    make_authority(folder)
    return folder


@pytest.fixture
def authority(certified: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """`openssl ts` behind HTTP."""

    with authority_server(certified) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("ONCEHUB_TIMESTAMP_URL", url)
        monkeypatch.setenv("ONCEHUB_TIMESTAMP_ROOTS", str(certified / "root.pem"))
        yield url
        server.shutdown()
        thread.join()


def test_an_authority_stamps_checkpoints_which_openssl_verifies(
    settings: Settings,
    database: Connection,
    authority: str,
    certified: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = signed(settings, database, 2, 0)
    assert (report.attested, report.lacking) == (1, [])
    assert (verified(settings, database).findings, verified(settings, database).attested) == ([], 1)
    folder = tmp_path / "log"
    export(settings, folder)
    subprocess.run(
        [
            "openssl",
            "ts",
            "-verify",
            "-in",
            "1.tsr",
            "-data",
            "1.checkpoint",
            "-CAfile",
            certified / "root.pem",
        ],
        cwd=folder / "timestamps",
        check=True,
        capture_output=True,
    )
    key = signing_key(settings.home)

    def published() -> Verification:
        return verify_archive(
            folder, {key.id: key.private}, read_anchors(anchor_place(settings)), attestors()
        )

    assert (published().findings, published().attested) == ([], 1)
    stamped = folder / "timestamps" / "1.tsr"
    stamped.write_bytes(stamped.read_bytes()[:-9])
    assert [each.what for each in published().findings] == ["forged"]

    # An authority that is away delays nothing, and is asked again.
    monkeypatch.setenv("ONCEHUB_TIMESTAMP_URL", "http://127.0.0.1:9")
    away = signed(settings, database, 1, 2)
    assert (away.lines, away.attested, "it does not answer" in away.lacking[0]) == (1, 0, True)
    monkeypatch.setenv("ONCEHUB_TIMESTAMP_URL", authority)
    assert write_checkpoints(settings).attested == 1
    with database, database.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("""
            update audit.attestation one set content = other.content from audit.attestation other
            where (one.number, other.number) in ((1, 2), (2, 1))
        """)
    findings = verified(settings, database).findings
    assert [(each.what, each.checkpoint) for each in findings] == [("forged", 1), ("forged", 2)]
