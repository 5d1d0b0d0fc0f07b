"""Anchors that another process keeps: the signer may append to them, and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import requests

from oncehub.audit.signing.adoption import standing
from oncehub.audit.signing.anchor_service import ADOPTION_TOKEN, keep_anchors
from oncehub.audit.signing.anchors import (
    PLACE,
    TOKEN,
    AnchorPlace,
    anchor_place,
    anchors_to_verify,
    read_anchors,
    write_anchors,
)
from oncehub.audit.signing.checkpoints import write_checkpoints
from oncehub.audit.signing.keys import signing_key
from oncehub.audit.signing.verification import verify_database
from oncehub.audit.tlog.notes import Checkpoint, NoteKey
from oncehub.errors import ConfigError, StoreUnavailable
from oncehub.settings import Settings
from oncehub.store.connection import Connection

from ..conftest import add_lines

SIGNER, OPERATOR = "s" * 16, "o" * 16


def note(origin: str) -> str:
    return str(Checkpoint(origin, 1, bytes(32)).sign(NoteKey.of(origin, b"k" * 32)))


def text(origin: str) -> str:
    return Checkpoint(origin, 1, bytes(32)).text


def line(number: int, origin: str) -> bytes:
    return orjson.dumps({"checkpoint": number, "note": note(origin)}) + b"\n"


@dataclass
class Kept:
    file: Path
    url: str

    def answer(self, method: str, token: str, lines: bytes | None = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"}
        response = requests.request(method, self.url, data=lines, headers=headers, timeout=10)
        return response.status_code, response.text


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setenv(TOKEN, SIGNER)
    monkeypatch.setenv(ADOPTION_TOKEN, OPERATOR)
    file = tmp_path / "kept" / "heads.jsonl"
    with keep_anchors(file, "127.0.0.1", 0) as url:
        monkeypatch.setenv(PLACE, url)
        yield Kept(file, url)


@pytest.fixture
def place(kept: Kept, settings: Settings) -> AnchorPlace:
    return anchor_place(settings)


def test_the_log_is_anchored_and_verified_over_the_network(
    kept: Kept, place: AnchorPlace, settings: Settings, database: Connection
) -> None:
    for first in (0, 2):
        add_lines(database, 2, first=first)
        write_checkpoints(settings)
    key = signing_key(settings.home)
    anchors = anchors_to_verify(place)
    assert list(anchors.heads) == [1, 2]
    assert verify_database(database, {key.id: key.private}, anchors).anchored == 2
    assert standing(settings).lost is None
    assert read_anchors(kept.file) == anchors


def test_who_signs_appends_and_changes_nothing(kept: Kept, place: AnchorPlace) -> None:
    write_anchors(place, {1: note("a"), 2: note("b")}, exported=2)
    before = kept.file.read_bytes()
    for lines, status, said in (
        (line(2, "c"), 409, "checkpoint 2 is another one"),
        (line(3, "c") + line(1, "c"), 409, "checkpoint 1 is another one"),
        (line(4, "d"), 409, "checkpoint 4 leaves out those before it"),
        (b'{"checkpoint":0,"adopted":"e"}\n', 403, ADOPTION_TOKEN),
        (b'{"checkpoint":3}\n', 409, "note"),
        (b'{"checkpoint":3,"note":"c"}\n', 409, "is no signed note"),
        (line(3, "c").replace(b":3", b':"x"'), 409, "not appended"),
        (b"[]\n", 409, "not appended"),
        (b"nonsense\n", 409, "not appended"),
        (line(3, "c").rstrip(), 409, "the last line has no end"),
    ):
        answered, why = kept.answer("POST", SIGNER, lines)
        assert (answered, said in why) == (status, True), why
    for method in ("PUT", "DELETE", "PATCH"):
        assert kept.answer(method, OPERATOR, b"")[0] == 501
    for token in ("", "wrong"):
        assert kept.answer("GET", token)[0] == 401
        assert kept.answer("POST", token, line(3, "c"))[0] == 401
    assert kept.file.read_bytes() == before
    # What a lost answer has repeated is what is anchored.
    assert kept.answer("POST", SIGNER, before)[0] == 204
    assert anchors_to_verify(place).heads == {1: text("a"), 2: text("b")}


def test_an_operator_may_adopt_a_database_in_an_earlier_state(
    kept: Kept, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_anchors(anchor_place(settings), {1: note("a"), 2: note("b")})
    with pytest.raises(ConfigError, match=f"answers 403: .*{ADOPTION_TOKEN}"):
        write_anchors(anchor_place(settings), adopted={"e": 1})
    monkeypatch.setenv(TOKEN, OPERATOR)
    write_anchors(anchor_place(settings), adopted={"e": 1})
    write_anchors(anchor_place(settings), {2: note("c")})
    assert read_anchors(kept.file).heads == {1: text("a"), 2: text("c")}
    # Whatever was anchored stays readable.
    assert line(2, "b") in kept.file.read_bytes()


def test_signing_says_that_the_keeper_is_away_or_refuses(
    kept: Kept, settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_lines(database, 1)
    monkeypatch.setenv(TOKEN, "another token than the keeper's")
    with pytest.raises(ConfigError, match=f"{kept.url}: answers 401: give the token {TOKEN}"):
        write_checkpoints(settings)
    monkeypatch.delenv(TOKEN)
    with pytest.raises(ConfigError, match=f"{TOKEN} is not set"):
        write_checkpoints(settings)
    monkeypatch.setenv(TOKEN, SIGNER)
    monkeypatch.setenv(PLACE, "http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9: the service .* does not answer"):
        write_checkpoints(settings)


@pytest.mark.parametrize("name", [TOKEN, ADOPTION_TOKEN])
def test_no_anchors_are_kept_without_tokens(kept: Kept, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "short")
    with (
        pytest.raises(ConfigError, match=f"{name} must have 16 characters"),
        keep_anchors(kept.file, "::1", 0),
    ):
        pass


def test_a_token_alone_appends_nothing_that_the_log_has_not_signed(
    settings: Settings, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SIGNER)
    monkeypatch.setenv(ADOPTION_TOKEN, OPERATOR)
    log = signing_key(settings.home).named(settings.audit_origin).verifier
    with keep_anchors(tmp_path / "heads.jsonl", "127.0.0.1", 0, [log]) as url:
        monkeypatch.setenv(PLACE, url)
        thief = Kept(tmp_path / "heads.jsonl", url)
        exported = orjson.dumps({"checkpoint": 7, "exported": True}) + b"\n"
        for first in (0, 2):
            number = first // 2 + 1
            junk = orjson.dumps({"checkpoint": number, "note": "x\n1\n\n"}) + b"\n"
            for lines in (line(number, settings.audit_origin), line(number, "other"), junk, exported):
                for token in (SIGNER, OPERATOR):
                    assert thief.answer("POST", token, lines)[0] == 409
            add_lines(database, 2, first=first)
            assert write_checkpoints(settings).checkpoints == 1
        assert list(read_anchors(anchor_place(settings)).heads) == [1, 2]
