"""Stores the latest checkpoints outside the database and its archives.

Tampering with the database alone is detected by comparing it with the anchors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Final

import orjson
import requests
from requests.auth import AuthBase

from oncehub.audit.tlog.notes import Note
from oncehub.errors import ConfigError, StoreUnavailable
from oncehub.settings import Settings, secret

PLACE: Final = "ONCEHUB_AUDIT_ANCHOR"
TOKEN: Final = "ONCEHUB_AUDIT_ANCHOR_TOKEN"  # noqa: S105 - its name

_TIMEOUT: Final = 30.0


@dataclass
class Anchors:
    """What is anchored.

    Attributes:
        heads: the text of each checkpoint's note by its number.
        exported: number of the last checkpoint that was exported; 0 before the first.
        epochs: of the database, each begun by an adoption (`oncehub restore adopt`); what was anchored beyond
            the last checkpoint that the adopted database had is left out of `heads`.
        lost_in: the last of these epochs whose database lacked anchored checkpoints.
    """

    heads: dict[int, str] = field(default_factory=dict)
    exported: int = 0
    epochs: set[str] = field(default_factory=set)
    lost_in: str | None = None


@dataclass(frozen=True)
class AnchorService:
    """Another process that keeps the anchors and lets nobody change them: `oncehub audit keep-anchors`.

    Attributes:
        url: where it answers.
        token: that lets the caller read and append.
    """

    url: str
    token: str = field(repr=False)

    def __str__(self) -> str:
        return self.url

    def read(self) -> bytes:
        """Return all lines."""
        return self._ask("GET").content

    def append(self, lines: bytes) -> None:
        """Have whole lines appended, and flushed to its disk."""
        self._ask("POST", lines)

    def _ask(self, method: str, lines: bytes | None = None) -> requests.Response:
        try:
            response = requests.request(
                method,
                self.url,
                data=lines,
                auth=_Bearer(self.token),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise StoreUnavailable(
                f"{self.url}: the service that keeps the anchors does not answer ({type(error).__name__})"
            ) from None
        if response.status_code >= 500:
            raise StoreUnavailable(f"{self.url}: answers {response.status_code}: {response.text.strip()}")
        if not response.ok or response.is_redirect:
            raise ConfigError(f"{self.url}: answers {response.status_code}: {response.text.strip()}")
        return response


class _Bearer(AuthBase):
    """Sets the header itself, so that no .netrc replaces it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


AnchorPlace = Path | AnchorService
"""Where anchors are kept: a file, or a service."""


def anchor_place(settings: Settings) -> AnchorPlace:
    """Return where heads are anchored: `ONCEHUB_AUDIT_ANCHOR`, a file or a URL; else a file below `home`.

    Raises:
        ConfigError: when a URL is given and no token.
    """
    given = os.environ.get(PLACE)
    return named_place(given) if given else settings.home / "audit" / "heads.jsonl"


def named_place(given: str) -> AnchorPlace:
    """Return the place that a path or URL names; for errors see `anchor_place`."""
    if not given.startswith(("http://", "https://")):
        return Path(given)
    token = secret(TOKEN)
    if not token:
        raise ConfigError(f"{TOKEN} is not set: {given} lets nobody read or append without it")
    return AnchorService(given, token)


def read_anchors(place: AnchorPlace) -> Anchors:
    """Return what is anchored; nothing when there is no file.

    Raises:
        ConfigError: when the anchors cannot be read, hold other content, or two notes for one checkpoint.
        StoreUnavailable: when the service that keeps them does not answer.
    """
    anchors = Anchors()
    lines = whole_lines(place) if isinstance(place, Path) else place.read().splitlines()
    for number, text in enumerate(lines, 1):
        try:
            note_anchor(anchors, orjson.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{place}:{number}: is no anchor of this log: {error}") from None
    return anchors


def anchors_to_verify(place: AnchorPlace) -> Anchors:
    """Return what is anchored, which a verification depends on.

    Raises:
        ConfigError: when the file is missing, holds no head, or does not begin with the first checkpoint and
            go on without a gap; see also `read_anchors`.
    """
    anchors = read_anchors(place)
    if not anchors.heads:
        absent = isinstance(place, Path) and not place.exists()
        state = "there is no such file of anchors" if absent else "holds no anchored checkpoint"
        raise ConfigError(
            f"{place}: {state}, so the removal of the latest entries would not be detected; name the file "
            "with --anchor or ONCEHUB_AUDIT_ANCHOR, or verify without it: --no-anchor"
        )
    if gap := next((number for number in range(1, max(anchors.heads)) if number not in anchors.heads), 0):
        raise ConfigError(
            f"{place}: lacks checkpoint {gap}, though it goes on to {max(anchors.heads)}: lines were removed "
            "from it; use a whole copy, or verify without it: --no-anchor"
        )
    return anchors


def write_anchors(
    place: AnchorPlace,
    notes: Mapping[int, str] | None = None,
    exported: int = 0,
    adopted: Mapping[str, int] | None = None,
) -> None:
    """Append to the anchors, which are flushed to disk.

    Args:
        place: of the anchors.
        notes: signed checkpoints by their number.
        exported: number of the last checkpoint that was exported.
        adopted: the last checkpoint that the database had as an epoch began, by the epoch.

    Raises:
        ConfigError: when they cannot be written, or the service refuses them.
        StoreUnavailable: when the service does not answer; it may have appended all the same.
    """
    content: list[dict[str, Any]] = [
        {"checkpoint": number, "adopted": epoch} for epoch, number in (adopted or {}).items()
    ]
    content += [{"checkpoint": number, "note": note} for number, note in sorted((notes or {}).items())]
    content += [{"checkpoint": exported, "exported": True}] if exported else []
    lines = b"".join(orjson.dumps(each) + b"\n" for each in content)
    if isinstance(place, Path):
        append_lines(place, lines)
    else:
        place.append(lines)


def append_lines(path: Path, lines: bytes) -> None:
    """Append to the file and flush it to disk; first cut off a last line that a kill left incomplete.

    Raises:
        ConfigError: when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("ab", buffering=0) as file:
            _append(file, lines, path)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; {PLACE} must name a file that the hub may append to"
        ) from None


def _append(file: FileIO, lines: bytes, path: Path) -> None:
    """Append all lines or none; cut off before what a kill left of a line."""
    length = _length_ofwhole_lines(path)
    file.truncate(length)
    try:
        left = memoryview(lines)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(length)
        raise


def note_anchor(anchors: Anchors, content: Mapping[str, Any]) -> None:
    """Add the content of a line to what is anchored.

    Raises:
        ValueError, TypeError, KeyError: when it is no anchor, or gives an anchored checkpoint another note.
    """
    number = int(content["checkpoint"])
    if "adopted" in content:
        anchors.epochs.add(str(content["adopted"]))
        lost = [each for each in anchors.heads if each > number]
        for later in lost:
            del anchors.heads[later]
        anchors.lost_in = str(content["adopted"]) if lost else anchors.lost_in
        anchors.exported = min(anchors.exported, number)
    elif "exported" in content:
        anchors.exported = max(anchors.exported, number)
    elif "head" in content:
        raise ValueError(
            "it was written before the log became one tree; move the file away, keep it, and run: oncehub "
            "audit checkpoint --anchor-anew"
        )
    else:
        text = Note.parse(str(content["note"])).text
        if anchors.heads.setdefault(number, text) != text:
            raise ValueError(f"checkpoint {number} is another one in an earlier line")


def whole_lines(path: Path) -> Iterable[bytes]:
    """Return the lines of a file of anchors, without one that a kill left incomplete."""
    try:
        return path.read_bytes()[: _length_ofwhole_lines(path)].splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _length_ofwhole_lines(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1
