"""Reads XML elements as records; refuses document types, so it expands no entity and fetches nothing."""

from __future__ import annotations

import codecs
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

from oncehub.config.reading import Xml
from oncehub.connect.formats.unpacking import CHUNK_BYTES
from oncehub.connect.formats.unreadable import MOST_LEVELS
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ContractBroken

_DEEPEST = 100
_BLANK = " \t\r\n"
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)")
_FORBIDDEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]|&#(?:x(?P<hex>[0-9a-fA-F]+)|(?P<digits>[0-9]+));"
)
_MARKS = 0x10F800
_MARK = re.compile(f"[{chr(_MARKS)}-{chr(_MARKS + 0xFF)}]")
_NIL = "http://www.w3.org/2001/XMLSchema-instance nil"


@dataclass(frozen=True)
class _Shape:
    """Which fields of an element are lists, and the shapes of those within."""

    lists: set[str] = field(default_factory=set)
    inner: dict[str, _Shape] = field(default_factory=dict)

    def add(self, path: str) -> None:
        *above, last = path.split(".")
        shape = self
        for name in above:
            shape = shape.inner.setdefault(name, _Shape())
        shape.lists.add(last)


_PLAIN = _Shape()


class _Element:
    """An element not yet closed."""

    __slots__ = ("fields", "name", "nil", "shape", "texts")

    def __init__(self, name: str, shape: _Shape) -> None:
        self.name = name
        self.shape = shape
        self.fields: dict[str, Any] = {}
        self.texts: list[str] = []
        self.nil = False

    def add(self, name: str, value: Any) -> None:
        there = self.fields.get(name)
        if isinstance(there, list):
            there.append(value)
        elif name in self.shape.lists:
            self.fields[name] = [value]
        else:
            self.fields[name] = [there, value] if name in self.fields else value

    def value(self) -> Any:
        """None, text, or an object; blank text is none."""
        if self.nil:
            return None
        text = "".join(self.texts)
        text = text if text.strip(_BLANK) else ""
        for name in self.shape.lists:
            self.fields.setdefault(name, [])
        if not self.fields:
            return text or None
        return self.fields | {"#text": text} if text else self.fields


class _Mending:
    """Lets a parser go on where UTF-8 holds bytes or characters that XML does not allow.

    Private characters stand in for them until they are parsed, and lone surrogates after, which reject their
    record alone.
    """

    def __init__(self) -> None:
        self.is_due = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._left = ""
        self._begun = False

    def marked(self, piece: bytes, *, last: bool) -> bytes:
        if not self._begun:
            self._begun = True
            declared = _ENCODING.search(piece[:200])
            if not piece.startswith((b"\xff\xfe", b"\xfe\xff", b"\0", b"<\0")) and (
                declared is None or declared[1].lower() in {b"utf-8", b"utf8"}
            ):
                self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        if self._decoder is None:
            return piece
        text = self._left + self._decoder.decode(piece, last)
        # A reference may go on in the next piece.
        end = len(text) if last else max(text.rfind("&", -12), 0) or len(text)
        text, self._left = text[:end], text[end:]
        return _FORBIDDEN.sub(self._mark, text).encode()

    def _mark(self, found: re.Match[str]) -> str:
        referred = _referred(found) if len(found[0]) > 1 else None
        if referred and not _FORBIDDEN.match(referred):
            return found[0]
        self.is_due = True
        return chr(_MARKS + (ord(referred or found[0][0]) & 0xFF))

    def unmarked(self, text: str) -> str:
        """Put lone surrogates where marks stand."""
        return _MARK.sub(lambda mark: chr(0xDC00 + ord(mark[0]) - _MARKS), text) if self.is_due else text


def _referred(found: re.Match[str]) -> str | None:
    """Return the character of a reference, None where there is none of its number."""
    digits, base = (found["hex"], 16) if found["hex"] else (found["digits"], 10)
    digits = digits.lstrip("0") or "0"
    code = int(digits, base) if len(digits) < 9 else sys.maxunicode + 1
    return chr(code) if code <= sys.maxunicode else None


class XmlDocument:
    """Parses a document that is fed piece by piece.

    Attributes:
        records: values of the record elements closed so far; the caller may take them out.
        body: value of the root without the records, once all is fed; None unless `keep`.
        listed: whether the element that holds the records was there.
    """

    def __init__(self, read: Xml, what: str, *, keep: bool) -> None:
        self.records: list[Any] = []
        self.body: Any = None
        self.listed = False
        self._what = what
        self._keep = keep
        self._path = read.records.split("/")
        self._prefixes = {namespace: prefix for prefix, namespace in read.namespaces.items()}
        self._shape = _Shape()
        for path in read.lists:
            self._shape.add(path)
        self._open: list[_Element] = []
        self._met = 0  # how many elements of the path are open
        self._composes = False
        self._fed = 0
        self._record_end = 0
        self._cut = 0  # elements open that nest too deep to be kept
        self._mending = _Mending()
        self._parser = self._new_parser()

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        return parser

    @property
    def since_record(self) -> int:
        """Bytes fed since the last record ended."""
        return self._fed - self._record_end

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Read on; nothing follows the last piece.

        Raises:
            TryAgain: when it is not well-formed, or ends before its root does.
            ContractBroken: when it declares a document type or an unknown encoding, or nests too deep.
        """
        piece = self._mending.marked(piece, last=last)
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise TryAgain(f"is not well-formed XML from line {error.lineno} on") from None
        except (LookupError, ValueError):
            raise ContractBroken(f"{self._what}: declares an encoding that cannot be read") from None

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002
        # Windows-1258 writes tones as separate characters; records hold composed letters.
        self._composes = encoding is not None and codecs.lookup(encoding).name == "cp1258"

    def _refuse(self, *_: object) -> None:
        raise ContractBroken(f"{self._what}: declares a document type (DOCTYPE), which is refused")

    @property
    def _within(self) -> bool:
        return self._met == len(self._path)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = len(self._open)
        if self._cut or (self._within and depth - self._met >= MOST_LEVELS):
            self._cut += 1
            return
        if depth >= _DEEPEST and not self._within:
            raise ContractBroken(f"{self._what}: nests deeper than {_DEEPEST} elements")
        shape = self._open[-1].shape if self._open else _PLAIN
        name = self._named(name)
        element = _Element(name, shape.inner.get(name, _PLAIN))
        if not self._within and depth == self._met + 1 and self._path[self._met] == name:
            self._met += 1
            element.shape = self._shape if self._within else _PLAIN
        self.listed = self.listed or self._met >= len(self._path) - 1
        self._open.append(element)
        if self._keep or self._within:
            self._take_attributes(element, attributes)

    def _take_attributes(self, element: _Element, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            if name == _NIL:
                element.nil = value.strip(_BLANK) in {"true", "1"}
            else:
                element.add(f"@{self._named(name)}", self._composed(self._read(value)))

    def _text(self, text: str) -> None:
        if self._open and not self._cut and (self._keep or self._within):
            self._open[-1].texts.append(self._read(text))

    def _end(self, name: str) -> None:  # noqa: ARG002
        if self._cut:
            self._cut -= 1
            return
        element = self._open.pop()
        depth = len(self._open)
        if self._composes:
            element.texts = [self._composed("".join(element.texts))]
        if depth == self._met and depth > 0:
            if self._within:
                self.records.append(element.value())
                self._record_end = self._parser.CurrentByteIndex
                self._met -= 1
                return
            self._met -= 1
        if not self._open:
            self.body = element.value() if self._keep else None
        elif self._keep or self._within:
            self._open[-1].add(element.name, element.value())

    def _read(self, text: str) -> str:
        """Return text as it is kept; only a record may hold what XML does not allow."""
        read = self._mending.unmarked(text)
        if read != text and not self._within:
            raise TryAgain(f"is not well-formed XML from line {self._parser.CurrentLineNumber} on")
        return read

    def _named(self, name: str) -> str:
        namespace, _, local = name.rpartition(" ")
        prefix = self._prefixes.get(namespace)
        return f"{prefix}:{local}" if prefix else local

    def _composed(self, text: str) -> str:
        return unicodedata.normalize("NFC", text) if self._composes else text


def xml_records(file: BinaryIO, read: Xml, what: str, most: int) -> Iterator[Any]:
    """Yield the records of a file of any size; see `Xml` for what they look like.

    Raises:
        TryAgain: when the document is not well-formed, or ends before its root does.
        ContractBroken: when it declares a document type, nests too deep, has more than `most` bytes from one
            record to the next, or not the element that holds the records.
    """
    document = XmlDocument(read, what, keep=False)
    while piece := file.read(CHUNK_BYTES):
        document.feed(piece)
        yield from document.records
        document.records.clear()
        if document.since_record > most:
            raise ContractBroken(f"{what}: a record is larger than limits.page_bytes ({most})")
    document.feed(b"", last=True)
    yield from document.records
    if not document.listed:
        raise ContractBroken(f"{what}: holds no element at `{read.records.rpartition('/')[0]}`")
