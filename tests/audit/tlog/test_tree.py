"""The tree against a naive reading of RFC 6962, and against software of others (Python 3.12 and later)."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncehub.audit.log.hashing import leaf_hash
from oncehub.audit.tlog.notes import COSIGNATURE, Checkpoint, NoteKey
from oncehub.audit.tlog.tiles import (
    CHECKPOINT,
    MOST_LEVELS,
    PublishedHashes,
    PublishedLog,
    bundle,
    entries_of,
    tile_path,
    tiles_of,
)
from oncehub.audit.tlog.tree import (
    TILE_WIDTH,
    Completed,
    Edge,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    tree_root,
)
from oncehub.audit.tlog.witness import Witness
from oncehub.files import write_whole

if sys.version_info >= (3, 12):
    import aics_tlog as others

ENTRIES = [sha256(str(number).encode()).digest() for number in range(70_000)]
SIZES = st.one_of(
    st.integers(1, 600), st.sampled_from([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000])
)

needs_others = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="aics-tlog needs Python 3.12: no software of others verifies the tree on this version",
)


class Kept:
    """The hashes of a tree, as its edge gave them."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.levels: dict[int, list[bytes]] = {0: list(map(leaf_hash, entries))}
        self.edge = Edge()
        for each in self.edge.extend(self.levels[0]):
            level = self.levels.setdefault(each.level, [])
            assert each == Completed(each.level, len(level), each.hash)
            level.append(each.hash)

    def hashes(self, level: int, start: int, stop: int) -> Sequence[bytes]:
        return self.levels[level][start:stop]


KEPT = Kept(ENTRIES)


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


@given(st.data(), st.integers(1, 600))
def test_proofs_are_those_of_the_rfc(data: Any, size: int) -> None:
    leaves = KEPT.levels[0][:size]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert tree_root(KEPT, size) == mth(leaves)
    assert inclusion_proof(KEPT, index, size) == path(index, leaves)
    assert consistency_proof(KEPT, old, size) == subproof(old, leaves, whole=True)


@given(st.data(), SIZES)
def test_a_proof_holds_for_its_entry_and_its_trees_alone(data: Any, size: int) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root, before = tree_root(KEPT, size), tree_root(KEPT, old)
    leaf, proof = leaf_hash(ENTRIES[index]), inclusion_proof(KEPT, index, size)
    assert is_included(leaf, index, size, proof, root)
    assert not is_included(leaf_hash(b"another"), index, size, proof, root)
    assert not is_included(leaf, index, size, [*proof, root], root)
    assert not is_included(leaf, size, size, proof, root)
    grown = consistency_proof(KEPT, old, size)
    assert is_consistent(old, size, before, root, grown)
    assert not is_consistent(old, size, leaf_hash(b"another"), root, grown)
    assert not is_consistent(old, size, before, leaf_hash(b"another"), grown) or old == 0
    assert not is_consistent(old, size, before, root, [*grown, root])
    assert not is_consistent(size + 1, size, before, root, grown)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=8))
def test_a_tree_that_grows_by_parts_is_the_tree_over_all(parts: list[int]) -> None:
    edge, size = Edge(), 0
    for part in parts:
        edge = Edge.read(KEPT, size)
        edge.extend(map(leaf_hash, ENTRIES[size : size + part]))
        size += part
    assert (edge.size, edge.root()) == (size, tree_root(KEPT, size))


def write_log(folder: Path, entries: Sequence[bytes], key: NoteKey, *cosigners: NoteKey) -> Checkpoint:
    """Write a log into files as the hub does."""
    kept = Kept(entries)
    for level in range(MOST_LEVELS):
        for index, width in tiles_of(level, len(entries)):
            first = index * TILE_WIDTH
            tile = b"".join(kept.hashes(level, first, first + width))
            write_whole(folder / tile_path(level, index, width), tile)
            if level == 0:
                content = bundle(entries[first : first + width])
                assert entries_of(content) == list(entries[first : first + width])
                write_whole(folder / tile_path("entries", index, width), content)
    checkpoint = Checkpoint(key.verifier.name, len(entries), kept.edge.root())
    note = checkpoint.sign(key)
    note = note.with_signatures(each.sign(note.text, 1_800_000_000) for each in cosigners)
    write_whole(folder / CHECKPOINT, str(note).encode())
    return checkpoint


KEY = NoteKey.of("hub.example.vn/access-log", b"k" * 32)
WITNESS = NoteKey.of("ombudsman.example.vn/witness", b"w" * 32, COSIGNATURE)


def verify_by_others(folder: Path, size: int, index: int, old: int) -> None:
    checkpoint = write_log(folder, ENTRIES[:size], KEY, WITNESS)
    theirs, note = others.checkpoint.checkpoint_from_note((folder / CHECKPOINT).read_bytes())
    verified = others.verify_checkpoint(
        note, others.parse_vkey(str(KEY.verifier)), [others.parse_vkey(str(WITNESS.verifier))], quorum=1
    )
    assert verified.ok
    assert (theirs.origin, theirs.size, theirs.root) == (KEY.verifier.name, size, checkpoint.root)

    reader = others.FileSystemTileReader(folder)
    others.audit_tiles(reader, size, checkpoint.root)
    tiles = others.VerifiedTileReader(reader, size, checkpoint.root)
    assert tiles.entry(index) == ENTRIES[index]
    ours = PublishedHashes(PublishedLog(str(folder)), size)
    proof, grown = inclusion_proof(ours, index, size), consistency_proof(ours, old, size)
    assert proof == others.inclusion_proof_from_tiles(tiles, index, size)
    assert grown == others.consistency_proof_from_tiles(tiles, old, size)
    assert others.verify_leaf_inclusion(ENTRIES[index], index, size, proof, checkpoint.root)
    assert others.verify_consistency(old, size, tree_root(KEPT, old), checkpoint.root, grown)


@needs_others
@settings(max_examples=8)
@given(st.data(), st.integers(1, 900))
def test_software_of_others_verifies_a_log_in_files(
    tmp_path_factory: pytest.TempPathFactory, data: Any, size: int
) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    verify_by_others(tmp_path_factory.mktemp("log"), size, index, old)


@needs_others
def test_software_of_others_verifies_a_log_of_three_levels(tmp_path: Path) -> None:
    verify_by_others(tmp_path, 65_600, 65_537, 40_000)


@needs_others
def test_software_of_others_verifies_what_our_witness_cosigns(tmp_path: Path) -> None:
    own = Witness(tmp_path, WITNESS, {KEY.verifier.name: [KEY.verifier]})
    for old, size in ((0, 200), (200, 600)):
        checkpoint = Checkpoint(KEY.verifier.name, size, tree_root(KEPT, size))
        proof = "".join(f"{b64encode(each).decode()}\n" for each in consistency_proof(KEPT, old, size))
        signed = checkpoint.sign(KEY)
        answer = own.add_checkpoint(f"old {old}\n{proof}\n{signed}".encode())
        assert answer.status == 200
        theirs, note = others.checkpoint.checkpoint_from_note(f"{signed}{answer.text}".encode())
        keys = others.parse_vkey(str(KEY.verifier)), others.parse_vkey(str(WITNESS.verifier))
        assert others.verify_checkpoint(note, keys[0], [keys[1]], quorum=1).ok
        assert (theirs.size, theirs.root) == (size, checkpoint.root)
    stranger = NoteKey.of(WITNESS.verifier.name, b"x" * 32, COSIGNATURE).verifier
    assert not others.verify_checkpoint(note, keys[0], [others.parse_vkey(str(stranger))], quorum=1).ok


@needs_others
def test_software_of_others_finds_a_bent_tile(tmp_path: Path) -> None:
    checkpoint = write_log(tmp_path, ENTRIES[:600], KEY)
    tile = tmp_path / tile_path(0, 1)
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(others.TileVerificationError):
        others.audit_tiles(others.FileSystemTileReader(tmp_path), 600, checkpoint.root)
