"""Keys that the database knows by their fingerprints: a lost or exchanged one stops the hub at its next use.

`oncehub init` notes the keys of a new hub, and makes those that are missing; nothing else makes one, but a
rotation. So a hub whose keys were lost makes no new ones: pseudonyms would change, and nobody could tell
signatures of a thief.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from oncehub.encryption.data_keys import ensure_data_key
from oncehub.encryption.key_ring import KeyRing, create_key_ring, load_key_ring, ring_is_given, ring_place
from oncehub.encryption.secrets import KEY_BYTES, create_key, given_key, key_place, symmetric_key
from oncehub.errors import KeyMissing
from oncehub.store.connection import Cursor

Use = Literal["data", "pseudonym", "signing", "token", "request"]
_USES: Final[tuple[Use, ...]] = ("data", "pseudonym", "signing", "token", "request")

_KNOWN: Final = "select id, fingerprint from hub.key where use = %s order by noted_at"

_ON_PURPOSE: Final[Mapping[Use, str]] = {
    "data": "",
    "pseudonym": ". To change it on purpose, list the former one in ONCEHUB_KEYS_PSEUDONYM_RETIRED",
    "signing": ". To change it on purpose, run once: oncehub audit checkpoint --new-key",
    "token": "",
    "request": "",
}

# Where another open transaction notes the same key, this one does not wait for it: should that be rolled
# back, a later use notes it.
_NOTE: Final = """
insert into hub.key (use, id, fingerprint)
select %(use)s, %(id)s, %(fingerprint)s
where not exists (select from hub.key where use = %(use)s and fingerprint = %(fingerprint)s)
    and pg_try_advisory_xact_lock(hashtextextended('oncehub key ' || %(fingerprint)s, 0))
on conflict do nothing
"""


def note_keys(cursor: Cursor, home: Path, *, make: bool, former: Sequence[bytes] = ()) -> None:
    """Note the hub's keys in the transaction that sets up its database.

    The token key is noted so that a lost one is not made anew; another one is accepted, because tokens are
    replaced within minutes.

    Args:
        cursor: of that transaction.
        home: has the files, where no setting gives the keys.
        make: those below `home` that are not given, and that the database does not know.
        former: retired pseudonym keys, which are still given.

    Raises:
        KeyMissing: when a key is to be neither made nor found, or is another one than the database knows.
        ConfigError: when a key is malformed.
    """
    given = {use for use in _USES if (ring_is_given(home) if use == "data" else given_key(use, home))}
    cursor.execute("select distinct use from hub.key")
    known = {use for (use,) in cursor.fetchall()}
    unknown = [use for use in _USES if use not in given | known]
    if not make and (needed := [use for use in unknown if use != "token"]):
        names = ", ".join(f"ONCEHUB_KEY_{use.upper()}" for use in needed)
        raise KeyMissing(
            f"{names}: not set, and {home / 'keys'} has no such key. Give the hub keys (openssl rand -base64 "
            f"{KEY_BYTES}, one each; for docker compose: oncehub init-secrets), or run once: oncehub init "
            "--make-keys, which makes files there. Keep a copy apart from the database's backups "
            "(docs/operations/encryption-and-retention.md)"
        )
    for use in unknown if make else ():
        if use == "data":
            create_key_ring(home)
        else:
            create_key(use, home)
    present = given | set(unknown if make else ())
    if "data" in present:
        ensure_data_key(cursor, known_ring(cursor, home))
    if "pseudonym" in present:
        known_key(cursor, "pseudonym", home, former=former)
    if "signing" in present:
        known_key(cursor, "signing", home)
    if "token" in present:
        known_key(cursor, "token", home, replace=True)
    if "request" in present:
        known_key(cursor, "request", home, replace=True)


def known_ring(cursor: Cursor, home: Path) -> KeyRing:
    """Return the key ring; note its primary key in the transaction.

    Raises:
        KeyMissing, ConfigError: see `required_ring`.
    """
    ring = required_ring(cursor, home)
    _note(cursor, "data", ring.primary, ring.keys[ring.primary])
    return ring


def required_ring(cursor: Cursor, home: Path) -> KeyRing:
    """Return the key ring, once it has all keys of it that the database knows.

    Raises:
        KeyMissing: when there is none, or it lacks a key that the database knows.
        ConfigError: see `load_key_ring`.
    """
    ring = load_key_ring(home) if ring_is_given(home) else None
    given = {ring.primary: ring.keys[ring.primary], **ring.keys} if ring else {}
    _require(cursor, "data", given, ring.place if ring else ring_place(home))
    return ring or load_key_ring(home)


def known_key(
    cursor: Cursor,
    use: Literal["pseudonym", "signing", "token", "request"],
    home: Path,
    *,
    former: Sequence[bytes] = (),
    replace: bool = False,
) -> bytes:
    """Return a key; note it in the caller's transaction.

    Args:
        cursor: of a transaction that commits before anything is written with a new key, or with it.
        use: of the key.
        home: has the file, where no setting gives the key.
        former: earlier keys of the use, which are still given.
        replace: accept another key than the known one.

    Raises:
        KeyMissing: when it is not given, or is another one than the database knows.
        ConfigError: when it is malformed.
    """
    key = symmetric_key(use, home) if replace else required_key(cursor, use, home, former=former)
    _note(cursor, use, _short(key), key)
    return key


def required_key(
    cursor: Cursor,
    use: Literal["pseudonym", "signing", "token", "request"],
    home: Path,
    *,
    former: Sequence[bytes] = (),
) -> bytes:
    """Return a key, once it or a former one of its use is what the database knows; see `known_key`.

    Raises:
        KeyMissing: when it is not given, or is another one than the database knows.
        ConfigError: when it is malformed.
    """
    given = [key for key in (given_key(use, home), *former) if key]
    _require(cursor, use, {_short(key): key for key in given}, key_place(use, home))
    return symmetric_key(use, home)


def forget_key(cursor: Cursor, key: bytes) -> None:
    """Let a key of the ring go, which nothing needs any more."""
    cursor.execute("delete from hub.key where use = 'data' and fingerprint = %s", (fingerprint(key),))


def fingerprint(key: bytes) -> str:
    """Return a digest by which a key is recognised, and which reveals nothing of it."""
    return hmac.digest(key, b"oncehub key fingerprint", hashlib.sha256).hex()


def _require(cursor: Cursor, use: Use, given: Mapping[str, bytes], place: str) -> None:
    """Check that all known keys of a use are given, or of signing one."""
    cursor.execute(_KNOWN, (use,))
    known: dict[str, str] = {each: name for name, each in cursor.fetchall()}
    missing = known.keys() - {fingerprint(key) for key in given.values()}
    if missing and (use != "signing" or len(missing) == len(known)):
        names = ", ".join(sorted(known[each] for each in missing))
        held = f"which holds {', '.join(dict.fromkeys(given))}" if given else "where there is none"
        raise KeyMissing(
            f"the {use} key {names}, which this hub has used, is not in {place}, {held}: it was lost, or the "
            "keys are another hub's. Put it back from your copy; nothing is lost, and no new key was made "
            f"(docs/operations/encryption-and-retention.md){_ON_PURPOSE[use]}"
        )


def _note(cursor: Cursor, use: Use, name: str, key: bytes) -> None:
    cursor.execute(_NOTE, {"use": use, "id": name, "fingerprint": fingerprint(key)})


def _short(key: bytes) -> str:
    return fingerprint(key)[:8]
