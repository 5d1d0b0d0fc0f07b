"""What a source reports about a failure: its codes and messages, without values of records."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_PLAIN = re.compile(r"[A-Za-z_$@][\w.$@-]{0,60}")


def reported(value: Any) -> str:
    """Return codes and messages of an error in a line of at most 300 characters.

    Numbers of four digits and more, addresses, and quoted texts other than names of fields are left out: a
    message may quote a record.
    """
    said = "; ".join(dict.fromkeys(filter(None, map(_shown, _texts(value)))))
    return said[:_MOST] or "an error without a message"


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


def _shown(text: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    line = _QUOTED.sub(lambda quoted: quoted[0] if _PLAIN.fullmatch(quoted["inner"]) else "…", line)
    return _VALUE.sub("…", line)
