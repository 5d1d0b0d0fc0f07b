"""Records written in the forms that sources use, apart from the code that reads them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import orjson

from oncehub.config.access import Limits
from oncehub.config.reading import Csv, Json, JsonLines, Read, SinglePage, Xml
from stubs.servers.protocol.windows1258 import encode_windows_1258

Row = dict[str, str]

ONE_PAGE = SinglePage(kind="none")
LIMITS = Limits(page_bytes=1_000_000)


def json_read(**settings: object) -> Json:
    return Json.model_validate({"format": "json", "path": "/x", **settings})


def jsonl_read(**settings: object) -> JsonLines:
    return JsonLines.model_validate({"format": "jsonl", "path": "/x", **settings})


def csv_read(**settings: object) -> Csv:
    return Csv.model_validate({"format": "csv", "path": "/x", **settings})


def xml_read(**settings: object) -> Xml:
    return Xml.model_validate({"format": "xml", "path": "/x", "records": "ds/r", **settings})


def rendered(rows: Sequence[Row], read: Read) -> bytes:
    """Write rows of the same fields; an XML record holds its fields as elements."""
    match read:
        case Csv():
            content = _as_csv(rows, read)
        case JsonLines():
            content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        case Json(records=path):
            content = orjson.dumps({path: rows} if path else list(rows))
        case Xml():
            content = _as_xml(rows)
    return gzip.compress(content) if read.compression == "gzip" else content


def _as_csv(rows: Sequence[Row], read: Csv) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(
        text,
        list(rows[0]) if rows else ["a", "b"],
        delimiter=read.delimiter,
        quotechar=read.quote,
        quoting=csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE,
        escapechar=read.escape,
        doublequote=read.escape is None,
    )
    writer.writeheader()
    writer.writerows(rows)
    if read.encoding == "cp1258":
        return encode_windows_1258(text.getvalue())
    return text.getvalue().encode(read.encoding)


def _as_xml(rows: Sequence[Row]) -> bytes:
    def element(name: str, value: str) -> str:
        return f"<{name}>{escape(value, {chr(13): '&#13;'})}</{name}>"

    records = (f"<r>{''.join(element(name, value) for name, value in row.items())}</r>" for row in rows)
    total = quoteattr(str(len(rows)))
    return f'<?xml version="1.0"?>\n<kq tong={total}><ds>{"".join(records)}</ds></kq>'.encode()
