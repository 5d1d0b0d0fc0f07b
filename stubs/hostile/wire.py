"""Records and times as the variant writes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stubs.hostile.register.register import Entry
from stubs.hostile.variant import TimeForm, Variant
from stubs.servers.protocol.parameters import VIETNAM, iso_instant, vietnam_instant

Record = dict[str, Any]

HOLDER, DOCUMENT = "chuSuDung", "giayTo"
"""What a record is called, where a form has a name for it."""
FIELDS = {
    HOLDER: (
        "maSo",
        "hoTen",
        "soDinhDanh",
        "ngaySinh",
        "gioiTinh",
        "dienThoai",
        "maXa",
        "thuaDat",
        "trangThai",
        "capNhat",
        "thuTu",
    ),
    DOCUMENT: ("soPhatHanh", "maSo", "loai", "ngayCap", "dienTich", "capNhat", "thuTu"),
}
"""The fields of a record, in their order."""

VALID, CANCELLED = "HL", "HUY"  # hiệu lực, hủy

_WRITERS: dict[TimeForm, Callable[[datetime], str | int]] = {
    "iso8601": lambda moment: moment.astimezone(VIETNAM).isoformat(),
    "vietnam": lambda moment: moment.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S"),
    "unix": lambda moment: int(moment.timestamp()),
    "unix_ms": lambda moment: int(moment.timestamp()) * 1000,
}


def time_writer(form: TimeForm) -> Callable[[datetime], str | int]:
    """Writes an instant in a form: a text, or a number for the two forms of Unix time."""
    return _WRITERS[form]


def time_reader(form: TimeForm) -> Callable[[str], datetime]:
    """Reads a parameter in a form; `ValueError` says what is expected."""
    match form:
        case "iso8601":
            return iso_instant
        case "vietnam":
            return vietnam_instant
        case "unix":
            return lambda text: _unix(text, 1)
        case "unix_ms":
            return lambda text: _unix(text, 1000)


def holder_record(entry: Entry, variant: Variant) -> Record:
    """A holder as sent; of a deleted one only the key where deletions come as tombstones."""
    if entry.deleted and variant.deletes in ("tombstone", "separate"):
        return {"maSo": entry.key, "daXoa": True, **_stamp(entry, variant)}
    status = CANCELLED if entry.deleted else VALID
    return {**entry.fields, "trangThai": status, **_stamp(entry, variant)}


def document_record(entry: Entry, variant: Variant) -> Record:
    """A document as sent."""
    return {**entry.fields, **_stamp(entry, variant)}


def _stamp(entry: Entry, variant: Variant) -> Record:
    return {"capNhat": time_writer(variant.time)(entry.stated_at), "thuTu": entry.sequence}


def _unix(text: str, per_second: int) -> datetime:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ValueError(f"expected Unix time in {'seconds' if per_second == 1 else 'milliseconds'}")
    return datetime.fromtimestamp(int(text) / per_second, UTC)
