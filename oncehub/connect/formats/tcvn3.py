"""TCVN3 (TCVN 5712:1993), the one-byte encoding of the fonts `.VnTime` and their like, as a codec of Python.

Importing this module makes `tcvn3` an encoding. The bytes 0x80 to 0x9F are none.
"""

from __future__ import annotations

import codecs
from typing import Any, Final

NAME: Final = "tcvn3"

_FROM_A0: Final = (
    "\u00a0ĂÂÊÔƠƯĐăâêôơưđẰ\u0300\u0309\u0303\u0301\u0323àảãáạẲằẳẵắẴ"
    "ẮẦẨẪẤỀặầẩẫấậèỂẻẽéẹềểễếệìỉỄẾỒĩíịò"
    "ỔỏõóọồổỗốộờởỡớợùỖủũúụừửữứựỳỷỹýỵỐ"
)
_TABLE: Final = "".join(map(chr, range(128))) + "\ufffe" * 32 + _FROM_A0
_CODES: Final = codecs.charmap_build(_TABLE)


class _Encoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:  # noqa: ARG002
        return codecs.charmap_encode(text, self.errors, _CODES)[0]


class _Decoder(codecs.IncrementalDecoder):
    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override] # noqa: ARG002
        return codecs.charmap_decode(data, self.errors, _TABLE)[0]


def _encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
    return codecs.charmap_encode(text, errors, _CODES)


def _decode(data: Any, errors: str = "strict", /) -> tuple[str, int]:
    return codecs.charmap_decode(data, errors, _TABLE)


def _found(name: str) -> codecs.CodecInfo | None:
    if name != NAME:
        return None
    return codecs.CodecInfo(
        _encode, _decode, name=NAME, incrementalencoder=_Encoder, incrementaldecoder=_Decoder
    )


codecs.register(_found)
