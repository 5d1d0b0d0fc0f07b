"""Plants that spoil records, or the bytes they are written in."""

import gzip
import re
from functools import lru_cache

from stubs.hostile.plants.registry import Plant, Turn
from stubs.hostile.variant import Variant
from stubs.hostile.wire import Record
from stubs.servers.protocol.windows1258 import encode_windows_1258

FIRST_SPOILED = 50
"""Number of the first record, in order of addition, that is spoiled by plants that act from a record on."""
EVERY = 10
"""Plants that spoil single records spoil those whose number is a multiple of this."""
BOMB_BYTES = 512 * 1024 * 1024

_BOMB_MEMBER_BYTES = 64 * 1024 * 1024
_ENTITY_LEVELS = 9
_PHONE_TWIN = "0900000000"


class _RecordPlant(Plant):
    """Spoils records one by one; holders only, and no tombstones."""

    def records(self, records: list[Record], _turn: Turn, /) -> list[Record]:
        return [
            self.spoiled(record) if "hoTen" in record and self.is_due(_number(record)) else record
            for record in records
        ]

    def is_due(self, number: int) -> bool:
        """Whether the holder of that number is spoiled."""
        return number >= FIRST_SPOILED

    def spoiled(self, record: Record) -> Record:
        """Such a record."""
        raise NotImplementedError


class _JsonPlant(_RecordPlant):
    needs = "json or jsonl"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.format in ("json", "jsonl")


class ChangedType(_JsonPlant, name="changed_type"):
    """From the fiftieth record on `maXa` is a number and `hoTen` an object."""

    def spoiled(self, record: Record) -> Record:
        surname, _, rest = record["hoTen"].partition(" ")
        return {**record, "maXa": int(record["maXa"]), "hoTen": {"ho": surname, "ten": rest}}


class UnknownField(_RecordPlant, name="unknown_field"):
    """From the fiftieth record on there is an undocumented field `ghiChu`."""

    def spoiled(self, record: Record) -> Record:
        return {**record, "ghiChu": "chuyển từ sổ cũ"}


class MissingField(_RecordPlant, name="missing_field"):
    """From the fiftieth record on `soDinhDanh` is not there; in CSV it is empty."""

    def spoiled(self, record: Record) -> Record:
        return {name: value for name, value in record.items() if name != "soDinhDanh"}


class DuplicateKey(Plant, name="duplicate_key"):
    """The first record of every page comes a second time at its end, with another phone and the same time."""

    def records(self, records: list[Record], _turn: Turn, /) -> list[Record]:
        if not records or "hoTen" not in records[0]:
            return records
        return [*records, {**records[0], "dienThoai": _PHONE_TWIN}]


class UnreadableTime(_RecordPlant, name="unreadable_time"):
    """Every tenth record says that it was stated "yesterday" (`hôm qua`)."""

    def is_due(self, number: int) -> bool:
        return number % EVERY == 0

    def spoiled(self, record: Record) -> Record:
        return {**record, "capNhat": "hôm qua"}


class NulCharacters(_RecordPlant, name="nul_characters"):
    """Every tenth name holds a NUL character."""

    needs = "json, jsonl or csv"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.format != "xml"

    def is_due(self, number: int) -> bool:
        return number % EVERY == 0

    def spoiled(self, record: Record) -> Record:
        return {**record, "hoTen": record["hoTen"].replace(" ", "\0", 1)}


class Malformed(Plant, name="malformed", harmless=True):
    """Every second body is broken in its own syntax."""

    def __init__(self) -> None:
        self._seen = 0

    def body(self, body: bytes, turn: Turn, /) -> bytes:
        self._seen += 1
        if self._seen % 2:
            return body
        junk = {"json": "}]", "jsonl": '{"maSo": \n', "csv": '"', "xml": "<dd:"}[turn.variant.format]
        return body + junk.encode(_byte_encoding(turn.variant))


class WrongEncoding(Plant, name="wrong_encoding"):
    """The text is in another encoding than declared: Windows-1258 for UTF-8, UTF-8 for any other."""

    def body(self, body: bytes, turn: Turn, /) -> bytes:
        if turn.variant.encoding == "utf-8":
            return encode_windows_1258(body.decode("utf-8-sig"))
        return body.decode(turn.variant.encoding).encode()


class _XmlPlant(Plant):
    """Puts a document type before the root and an entity into the first name."""

    needs = "xml"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.format == "xml"

    def body(self, body: bytes, turn: Turn, /) -> bytes:
        text = body.decode(turn.variant.encoding)
        declaration, _, rest = text.partition("\n")
        rest = re.sub(r"<dd:hoTen>[^<]*<", "<dd:hoTen>&bay;<", rest, count=1)
        spoiled = f"{declaration}\n<!DOCTYPE dd:ketQua [{self.entities(turn)}]>\n{rest}"
        return spoiled.encode(turn.variant.encoding, "xmlcharrefreplace")

    def entities(self, turn: Turn) -> str:
        """The declarations, of which `bay` is one."""
        raise NotImplementedError


class EntityBomb(_XmlPlant, name="entity_bomb"):
    """The XML declares an entity of a billion names (billion laughs) and uses it."""

    def entities(self, _turn: Turn) -> str:
        levels = [f'<!ENTITY n{level} "{f"&n{level - 1};" * 10}">' for level in range(1, _ENTITY_LEVELS + 1)]
        return "".join(['<!ENTITY n0 "Nguyen">', *levels, f'<!ENTITY bay "&n{_ENTITY_LEVELS};">'])


class ExternalEntity(_XmlPlant, name="external_entity"):
    """The XML uses an entity that must be fetched from another host."""

    def entities(self, turn: Turn) -> str:
        return f'<!ENTITY bay SYSTEM "{turn.elsewhere}/entity">'


class GzipBomb(Plant, name="gzip_bomb"):
    """The gzip unpacks to half a gibibyte of spaces before the records."""

    needs = "compression file or transfer"

    @classmethod
    def fits(cls, variant: Variant, /) -> bool:
        return variant.compression != "none"

    def packed(self, body: bytes, _turn: Turn, /) -> bytes:
        return _bomb_member() * (BOMB_BYTES // _BOMB_MEMBER_BYTES) + body


@lru_cache(maxsize=1)
def _bomb_member() -> bytes:
    # A gzip file may be several one after the other.
    return gzip.compress(b" " * _BOMB_MEMBER_BYTES, compresslevel=1, mtime=0)


def _byte_encoding(variant: Variant) -> str:
    # A second byte order mark would be a fault of its own.
    return "utf-16-le" if variant.encoding == "utf-16" else "ascii"


def _number(record: Record) -> int:
    return int(record["maSo"][3:])
