"""What a source reports about a failure: its codes and messages, without values of records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

_TELLING: Final = {
    *(
        "code",
        "error",
        "error_description",
        "errorcode",
        "message",
        "description",
        "title",
        "detail",
        "reason",
    ),
    *("faultcode", "faultstring", "text", "value", "subcode", "severity", "diagnostics", "errors", "status"),
}
_MOST = 300
_QUOTED = re.compile(r"(['\"“‘`])(?P<inner>.*?)(['\"”’`])")
_VALUE = re.compile(r"\S*@\S+|\S*\d{4,}\S*")
_NAME = re.compile(r"(?=.{1,60}$)(?:[A-Za-z$]\w*(?:[._][\w$]+)+|[a-z$][a-z\d]*(?:[A-Z][a-z\d]*)+)", re.ASCII)
"""A dotted, snake_case or camelCase name, which no person and hardly any value is called by."""
_LONG = re.compile(r"[\w+/=.~-]{21,}")
_WORDS = re.compile(r"(?:[._-]?[A-Z]?[a-z]{4,})+")
_WHOLE = 6
"""Credentials of fewer letters are left out where they are words, not inside of others."""


def reported(value: Any, credentials: Iterable[str] = ()) -> str:
    """Return codes and messages of an error in a line of at most 300 characters.

    Left out are `credentials`, numbers of four digits and more, addresses, long words such as tokens, and
    quoted texts other than names of fields: a message may quote a record, or what it was asked with.
    """
    patterns = [_pattern(each) for each in sorted(credentials, key=len, reverse=True) if each]
    said = "; ".join(dict.fromkeys(filter(None, (_shown(text, patterns) for text in _texts(value)))))
    return said[:_MOST] or "an error without a message"


def _pattern(credential: str) -> re.Pattern[str]:
    text = re.escape(credential)
    return re.compile(rf"(?<!\w){text}(?!\w)" if len(credential) < _WHOLE else text, re.IGNORECASE)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() | int() | float():
            yield str(value)
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            if "#text" in value:
                yield from _texts(value["#text"])
            for name, inner in value.items():
                if name.rpartition(":")[2].lower() in _TELLING:
                    yield from _texts(inner)


def _shown(text: str, credentials: Sequence[re.Pattern[str]]) -> str:
    for each in credentials:
        text = each.sub("…", text)
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    line = _QUOTED.sub(lambda quoted: quoted[0] if _NAME.fullmatch(quoted["inner"]) else "…", line)
    return _LONG.sub(lambda word: "…" if _is_token(word[0]) else word[0], _VALUE.sub("…", line))


def _is_token(word: str) -> bool:
    """Whether a long word mixes cases or has digits, and is not made of words as a code is."""
    mixed = any(sign.isdigit() for sign in word) or word not in (word.lower(), word.upper())
    return mixed and not _WORDS.fullmatch(word)
