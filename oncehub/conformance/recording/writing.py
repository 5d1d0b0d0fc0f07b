"""Answers written anew from records, in the form that the connector reads."""

from __future__ import annotations

import csv
import gzip
import io
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import orjson

from oncehub.config.reading import Csv, Json, JsonLines, Parquet, Read, Xlsx, Xml
from oncehub.errors import ConfigError

_ROOT = "root"

NOT_WRITTEN = "{form} is not written, so answers in it cannot be recorded; test the source itself"


def written(read: Read, records: Sequence[Any], facts: Mapping[str, Any]) -> bytes:
    """Write a page or file.

    Args:
        read: its form.
        records: as the reader of that form gives them.
        facts: what the page states about itself, by path.
    """
    match read:
        case Json(records=path):
            body = orjson.dumps(_placed(facts, path, list(records)))
        case JsonLines():
            body = b"".join(orjson.dumps(record) + b"\n" for record in records)
        case Csv():
            body = _csv(read, records)
        case Xml():
            body = _xml(read, records, facts)
        case Xlsx() | Parquet():
            raise ConfigError(NOT_WRITTEN.format(form=read.format))
    return gzip.compress(body, mtime=0) if read.compression == "gzip" else body


def _placed(facts: Mapping[str, Any], path: str | None, records: list[Any]) -> Any:
    """One object with all that stands at its paths; the list itself where the form has nothing else."""
    if path is None:
        return records
    body: dict[str, Any] = {}
    for place, value in [*facts.items(), (path, records)]:
        *above, last = place.split(".")
        inner = body
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return body


def _csv(read: Csv, records: Sequence[Any]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=read.delimiter,
        quotechar=read.quote,
        escapechar=read.escape,
        quoting=csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE,
        lineterminator="\r\n",
    )
    header = next((list(record) for record in records if isinstance(record, dict)), ["none"])
    writer.writerow(header)
    for record in records:
        writer.writerow([record[name] for name in header] if isinstance(record, dict) else record)
    return b"".join(_encoded(letter, read.encoding) for letter in _whole(text.getvalue(), read.encoding))


def _whole(text: str, encoding: str) -> Sequence[str]:
    """Texts to be encoded one by one: letters in Windows-1258, whose tones are marks of their own."""
    return unicodedata.normalize("NFC", text) if encoding.lower() in ("cp1258", "windows-1258") else [text]


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        apart = unicodedata.normalize("NFD", text)
    base, kept = apart[0], ""
    for mark in apart[1:]:
        joined = unicodedata.normalize("NFC", base + mark)
        if _fits(joined, encoding):
            base = joined
        else:
            kept += mark
    return (base + kept).encode(encoding, "replace")


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _xml(read: Xml, records: Sequence[Any], facts: Mapping[str, Any]) -> bytes:
    root = ET.Element(_ROOT, {f"xmlns:{prefix}": uri for prefix, uri in read.namespaces.items()})
    tree = _placed(facts, read.records.replace("/", "."), list(records))
    _fill(root, tree)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _fill(element: ET.Element, value: Any) -> None:
    """Give an element what the reader would read from it."""
    if not isinstance(value, dict):
        element.text = None if value is None else str(value)
        return
    for name, part in value.items():
        if name == "#text":
            element.text = part
        elif name.startswith("@"):
            element.set(name[1:], str(part))
        else:
            for one in part if isinstance(part, list) else [part]:
                _fill(ET.SubElement(element, name), one)
