"""Signed batches as files, in the form of X-Road's message log archives.

A ZIP `mlog-<first>-<last>-<digest>.zip` holds for each checkpoint `checkpoint-<number>.json` (its statement
and the hashes of its lines) and `lines-<number>.jsonl`, and a `linkinginfo`: the last digest and name of the
archive before, then for each file SHA-256 over the digest before it and the file's own, both in hexadecimal.
The same checkpoints always give the same bytes. Source: X-Road Security Server User Guide, section 11.1.6
Archive Files.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
from psycopg2.extras import RealDictCursor

from oncehub.audit.log.hashing import line
from oncehub.audit.signing.anchors import AnchorPlace, Archived, anchor_place, write_anchors
from oncehub.errors import ConfigError, RunBusy
from oncehub.files import file_beside, keep
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

LINKING: Final = "linkinginfo"
ALGORITHM: Final = "SHA-256"
CHECKPOINTS: Final = 100
"""The most checkpoints in one archive."""

_CHECKPOINTS: Final = """
select number, entries, leaves, statement, signed_at from audit.checkpoint
where number > %s
order by number
limit %s
"""

_LINES: Final = """
select entry.*
from unnest(%s) with ordinality as signed (entry_id, position) join audit.entry using (entry_id)
order by position
"""

MEMBER_BYTES: Final = 64 << 20
"""The most bytes of one file of an archive; 10,000 lines of the log have about 7 MB."""

MOST_COMPRESSED: Final = 200
"""How many times smaller a file may be compressed: each line holds an id that does not compress."""

LINKING_BYTES: Final = 1 << 20

# Of a member's header, its entry in the directory, and the directory's end; the hub writes nothing optional.
_HEADER_BYTES, _ENTRY_BYTES, _END_BYTES = 30, 46, 22

# ZIP knows no time before 1980; a fixed one keeps the bytes the same.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ExportReport:
    """What one export wrote.

    Attributes:
        archives: names of the new files.
        checkpoints: how many checkpoints are in them.
        last: number of the newest archived checkpoint; 0 when there is none.
    """

    archives: list[str]
    checkpoints: int
    last: int


@dataclass(frozen=True)
class Linking:
    """What a `linkinginfo` says.

    Attributes:
        digest: the last digest of the archive before; empty in the first.
        archive: the name of the archive before; empty in the first.
        files: each file's digest by its name, in order.
    """

    digest: str
    archive: str
    files: dict[str, str]

    @property
    def last(self) -> str:
        """The digest that the next archive continues."""
        return list(self.files.values())[-1] if self.files else self.digest

    def before(self, name: str) -> str:
        """Return the digest that the file `name` continues."""
        names = list(self.files)
        place = names.index(name)
        return self.files[names[place - 1]] if place else self.digest

    @property
    def checkpoints(self) -> list[int]:
        """Numbers of the checkpoints that are named, in order."""
        return [number for name in self.files if (number := checkpoint_number(name))]

    def __bytes__(self) -> bytes:
        """The file's content."""
        lines = [f"{self.digest or '-'} {self.archive or '-'} {ALGORITHM}"]
        lines += [f"{digest} {name}" for name, digest in self.files.items()]
        return "".join(f"{text}\n" for text in lines).encode()

    @classmethod
    def parse(cls, content: bytes) -> Linking:
        """Read the file's content.

        Raises:
            ValueError: when it has another form.
        """
        first, *others = content.decode("ascii").splitlines()
        digest, archive, algorithm = first.split(" ")
        if algorithm != ALGORITHM:
            raise ValueError(f"{algorithm} is not {ALGORITHM}")
        pairs = [text.split(" ") for text in others]
        read = cls(digest.strip("-"), "" if archive == "-" else archive, {name: each for each, name in pairs})
        if bytes(read) != content:
            raise ValueError(f"its {LINKING} is not as it was written")
        return read


def link(before: str, content: bytes) -> str:
    """Return the linking digest of a file that follows the digest `before`."""
    return sha256((before + sha256(content).hexdigest()).encode()).hexdigest()


def checkpoint_number(name: str) -> int:
    """Return the number of the checkpoint in a file's name; 0 for another file."""
    number = name.removeprefix("checkpoint-").removesuffix(".json")
    return int(number) if name == checkpoint_file(number) and number.isdecimal() else 0


def checkpoint_file(number: int | str) -> str:
    """Return the name of the file that holds a checkpoint."""
    return f"checkpoint-{number:0>12}.json"


def lines_file(number: int) -> str:
    """Return the name of the file that holds the lines of a checkpoint."""
    return f"lines-{number:0>12}.jsonl"


def read_linking(path: Path) -> Linking:
    """Read an archive's `linkinginfo`, after a check of the archive's form that reads no member.

    Raises:
        ValueError: when the archive cannot be read, has none, or has another form than `export` writes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _require_form(archive, path.stat().st_size)
            return Linking.parse(archive.read(LINKING))
    except (OSError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path.name} is no archive of the log: {error}") from None


def _require_form(archive: zipfile.ZipFile, size: int) -> None:
    """Check names, sizes and places of the members, which must fill the file without gap or overlap.

    Raises:
        ValueError: when there is a member too many or too large, or bytes that belong to none.
    """
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(names) > 2 * CHECKPOINTS + 1:
        raise ValueError(f"it has {len(names)} members, more than {2 * CHECKPOINTS + 1}")
    place = 0
    for member in members:
        if names.count(member.filename) > 1:
            raise ValueError(f"it has {member.filename} twice")
        if member.file_size > (LINKING_BYTES if member.filename == LINKING else MEMBER_BYTES):
            raise ValueError(f"{member.filename} is too large: {member.file_size:,} bytes")
        if member.file_size > MOST_COMPRESSED * member.compress_size + LINKING_BYTES:
            raise ValueError(f"{member.filename} expands to {member.file_size:,} bytes: no log compresses so")
        if member.header_offset != place:
            raise ValueError(f"there are bytes before {member.filename} that belong to no member")
        place += _HEADER_BYTES + len(member.filename.encode()) + member.compress_size
    directory = sum(_ENTRY_BYTES + len(name.encode()) for name in names)
    if archive.start_dir != place or size != place + directory + _END_BYTES:
        raise ValueError("there are bytes after its members that belong to none")


def export(settings: Settings, folder: Path, database: Connection | None = None) -> ExportReport:
    """Write archives of the checkpoints that the folder lacks; a repeat writes nothing.

    An archive gets its name once all of it is on disk, and is anchored then.

    Raises:
        RunBusy: when another process signs or exports.
        ConfigError: when the folder or the anchor cannot be written, or holds what is no archive.
        StoreError: when the database cannot be used.
    """
    with (
        without_values("exporting the access log"),
        opened(settings, database) as connection,
        locked(connection, "checkpoint") as alone,
    ):
        if not alone:
            raise RunBusy("another process signs or exports the access log")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _export(connection, folder, anchor_place(settings))
        except OSError as error:
            raise ConfigError(
                f"{folder}: {error.strerror}; name a folder that the hub may write to"
            ) from None


def _export(connection: Connection, folder: Path, anchor: AnchorPlace) -> ExportReport:
    digest, before, last = _end(folder)
    if before:
        _require_same_log(connection, folder, before, last)
    names, checkpoints = list[str](), 0
    while batch := _checkpoints(connection, last):
        files = {name: content for checkpoint in batch for name, content in _files(connection, checkpoint)}
        before, digest = _write(folder, Linking(digest, before, {}), files)
        last = int(batch[-1]["number"])
        write_anchors(anchor, archives=[Archived(before, last)])
        names.append(before)
        checkpoints += len(batch)
    return ExportReport(names, checkpoints, last)


def _end(folder: Path) -> tuple[str, str, int]:
    """Return the last digest, the name and the last checkpoint of the newest archive."""
    try:
        found = {path.name: read_linking(path) for path in folder.glob("mlog-*.zip")}
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}; keep only whole archives there") from None
    ends = found.keys() - {linking.archive for linking in found.values()}
    if not found:
        return "", "", 0
    if len(ends) != 1:
        raise ConfigError(f"{folder}: its archives are not one chain; see `oncehub audit verify --archive`")
    (name,) = ends
    return found[name].last, name, max(found[name].checkpoints, default=0)


def _require_same_log(connection: Connection, folder: Path, archive: str, last: int) -> None:
    """Check that the last archived checkpoint is the database's: after a restore, it may be another."""
    with zipfile.ZipFile(folder / archive) as file:
        archived = orjson.loads(file.read(checkpoint_file(last)))["statement"]
    with connection, connection.cursor() as cursor:
        cursor.execute("select statement from audit.checkpoint where number = %s", (last,))
        row = cursor.fetchone()
    if row is None or row[0] != archived:
        raise ConfigError(
            f"{folder}: checkpoint {last} in {archive} is not that of this database, which was restored from "
            "before it, or is another hub's; move the archives that end with a checkpoint that the database "
            "lacks to another folder, and keep them"
        )


def _checkpoints(connection: Connection, after: int) -> Sequence[Mapping[str, Any]]:
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_CHECKPOINTS, (after, CHECKPOINTS))
        return cursor.fetchall()


def _files(connection: Connection, checkpoint: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the two files of a checkpoint."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_LINES, (checkpoint["entries"],))
        lines = [line(row) + b"\n" for row in cursor.fetchall()]
    content = {"statement": checkpoint["statement"], "leaves": bytes(checkpoint["leaves"]).hex()}
    yield checkpoint_file(checkpoint["number"]), orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    yield lines_file(checkpoint["number"]), b"".join(lines)


def _write(folder: Path, linking: Linking, files: Mapping[str, bytes]) -> tuple[str, str]:
    """Write an archive whole or not at all; return its name and last digest."""
    for name, content in files.items():
        linking.files[name] = link(linking.last, content)
    name = _name(linking, files)
    with file_beside(folder / name) as (file, beside):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in (*files.items(), (LINKING, bytes(linking))):
                archive.writestr(zipfile.ZipInfo(member, _EPOCH), content, zipfile.ZIP_DEFLATED)
        keep(file)
        beside.replace(folder / name)
    return name, linking.last


def _name(linking: Linking, files: Mapping[str, bytes]) -> str:
    lines = [
        orjson.loads(text)
        for name in files
        if not checkpoint_number(name)
        for text in files[name].splitlines()
    ]
    first, last = (f"{_compact(at)}" for at in (min(_moments(lines)), max(_moments(lines))))
    return f"mlog-{first}-{last}-{linking.last[:16]}.zip"


def _moments(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return (str(each["at"]) for each in lines)


def _compact(at: str) -> str:
    """`2026-05-01T01:02:03.000004Z` as X-Road's file names have it: `20260501010203`."""
    return "".join(sign for sign in at[:19] if sign.isdecimal())
