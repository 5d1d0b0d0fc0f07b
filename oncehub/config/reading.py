"""Where a stream's records lie, in what form and on how many pages, as `connector.yaml` writes it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from oncehub.config.access import HeaderName, UrlPath
from oncehub.config.documents import Section
from oncehub.config.quantities import Written
from oncehub.config.syntax.paths import JsonPathOrDotted
from oncehub.config.syntax.templates import Joined, Template, names_in

DottedPath = Annotated[str, Written(r"^[^.\s]+(\.[^.\s]+)*$", "write a dotted path such as data.items")]
"""Dotted path into a record, e.g. `data.items`."""

RecordPath = Annotated[str, JsonPathOrDotted()]
"""Path into a record or a page: dotted, e.g. `data.items`, or JSONPath where it begins with `$`."""

ElementPath = Annotated[
    str, Written(r"^[^/\s]+(/[^/\s]+)*$", "write a path of elements below the root such as DanhSach/Nguoi")
]
"""Path of XML elements below the root, e.g. `DanhSach/Nguoi`; a prefix is one of `namespaces`."""

SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


class InHeader(Section):
    """A value that a response has in a header, e.g. `X-Total-Count`."""

    header: HeaderName


Place = RecordPath | InHeader
"""Where a page declares something about itself: a path in its body, or a header."""


class FileListing(Section):
    """A JSON list of the files that hold the records.

    Attributes:
        path: of the list.
        files: path to the list in it.
        name, sha256, rows: fields of an entry; `sha256` must be there, `rows` is checked where it is.
    """

    path: UrlPath
    files: RecordPath
    name: RecordPath = "name"
    sha256: RecordPath = "sha256"
    rows: RecordPath = "rows"


class Folder(Section):
    """Files that the source drops into a folder; the connection's host is `file:///…`.

    Attributes:
        files: pattern of their names, e.g. `*.csv.gz`; read in the order of their names.
        checksum: `sidecar`: a file counts once `<name>.sha256` lies beside it, holding its SHA-256 in hex,
            alone or with the name; `none`: once it has not changed for a minute.
    """

    files: Annotated[str, Written(r"^[^/\\]+$", "write a pattern of names in the folder such as *.csv.gz")]
    checksum: Literal["sidecar", "none"] = "sidecar"


class _Location(Section):
    """Where responses or files come from.

    `path` alone: pages over HTTP. `path` with `{name}`, and `listing`: files over HTTP. `folder`: a drop.

    Attributes:
        query: parameters that every request carries; a list repeats one. For placeholders in `query` and
            `body` see `oncehub.config.syntax.templates`.
        headers: headers that every request carries; never credentials.
        body: makes requests POST: an object is sent as JSON, a text as XML.
        errors: path at which a response of any status says what failed, e.g. `errors` or `Body.Fault`; what
            stands there ends the read.
        compression: of the response or file itself; a Content-Encoding is undone anyway. The files in a zip
            are read one after the other, in the order of their names.
        members: pattern of the files in a zip that are read, e.g. `*.csv`; one at least must be there.
    """

    path: UrlPath | None = None
    listing: FileListing | None = None
    folder: Folder | None = None
    query: dict[str, Template | tuple[Template, ...] | Joined] = Field(default_factory=dict)
    headers: dict[HeaderName, str] = Field(default_factory=dict)
    body: dict[str, Any] | str | None = None
    errors: RecordPath | None = None
    compression: Literal["none", "gzip", "zip"] = "none"
    members: str = "*"

    in_table: ClassVar[bool] = False
    """Whether the records are the rows of a database."""

    @model_validator(mode="after")
    def _one_place(self) -> _Location:
        if self.in_table:
            if stray := sorted(self.model_fields_set & set(_Location.model_fields)):
                raise ValueError(f"a table takes no {stray[0]}")
            return self
        if (self.path is None) == (self.folder is None):
            raise ValueError("give either path (with listing, where files are listed) or folder")
        if self.listing and "{name}" not in (self.path or ""):
            raise ValueError("path needs {name}, which stands for a file of the listing")
        if self.folder and (self.listing or self.query or self.headers):
            raise ValueError("a folder takes no listing, query or headers")
        if self.in_files and (self.body is not None or self.errors is not None):
            raise ValueError("files take no body or errors")
        if "members" in self.model_fields_set and self.compression != "zip":
            raise ValueError("members are files in a zip; write compression: zip")
        if secret := sorted(SECRET_HEADERS & {name.lower() for name in self.headers}):
            raise ValueError(f"the header {secret[0]} is a credential; it belongs to auth and the connection")
        return self

    @property
    def in_files(self) -> bool:
        """Whether the records lie in files instead of pages."""
        return self.listing is not None or self.folder is not None

    @property
    def placeholders(self) -> set[str]:
        """The names that stand for something in `query` and `body`."""
        return names_in([*self.query.values(), self.body])


class Include(Section):
    """Objects that a page lists beside its records, joined to the records that name them.

    A record that names none has none; one that the page lacks is an error.

    Attributes:
        among: path of the list in the page, e.g. `included`.
        by: path in such an object -> path in the record, e.g. `{type: home.data.type, id: home.data.id}`.
        many: whether a record has a list of them; its paths are JSONPath then, and find one value for each.
    """

    among: RecordPath
    by: Annotated[dict[RecordPath, RecordPath], Field(min_length=1)]
    many: bool = False


class Json(_Location):
    """JSON; `records` is the path to the list of records, left out where the body is that list.

    `include` adds to each record, under a name of its own, what the page lists beside its records; files and
    zips have none.

    A list that is null or not there counts as empty only where the page declares a total or count of 0. A
    number that 64 bits do not hold to its last digit is read as its text.
    """

    format: Literal["json"]
    records: RecordPath | None = None
    include: dict[str, Include] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _included_from_pages(self) -> Json:
        if self.include and (self.in_files or self.compression == "zip"):
            raise ValueError(
                "include joins what a page lists, not what a file holds; remove it, and read the other"
                " objects as a stream of their own"
            )
        return self


class JsonLines(_Location):
    """One JSON record a line."""

    format: Literal["jsonl"]


class Column(Section):
    """Where a table has a field; written as the header alone, or as an object.

    Attributes:
        header: its name in the header, in any spacing and Unicode form.
        column: its letter instead, `A` for the first, where headers repeat or are blank.
        digits: how many digits its numbers have. Shorter ones have lost zeros at their front, as
            spreadsheets do to numbers, and get them back; what is no number, or longer, rejects its record.
    """

    header: str | None = None
    column: Annotated[str, Written(r"^[A-Z]{1,3}$", "write a column's letter such as D or AB")] | None = None
    digits: Annotated[int, Field(ge=1, le=40)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Column:
        if (self.header is None) == (self.column is None):
            raise ValueError("give either header or column")
        return self


def _column(written: Any) -> Any:
    return {"header": written} if isinstance(written, str) else written


FieldName = Annotated[
    str, Written(r"^[^.\s$]+( [^.\s]+)*$", "write a field's name such as ho_ten, without a dot")
]


class _Table(_Location):
    """Records that are the rows of a table.

    Attributes:
        columns: fields by the names that the records shall have, where headers do not serve as names; each
            must be there. Other columns keep their headers as names.
    """

    columns: dict[
        FieldName, Annotated[Column, BeforeValidator(_column, json_schema_input_type=str | Column)]
    ] = Field(default_factory=dict)


HeaderRow = Annotated[int, Field(ge=1, le=1000)]


class Csv(_Table):
    """CSV with a header line; every value is a string.

    Attributes:
        encoding: as Python names it, or `tcvn3`, the encoding of the fonts `.VnTime`; UTF-16 and UTF-8 may
            begin with a byte order mark.
        header_row: which line that is not blank is the header; those above it are not read.
        last_line: `ended`: one without a line end counts as cut, for it might still look whole, unless gzip
            or a checksum shows that it is not; `open`: the source ends its last line so.
    """

    format: Literal["csv"]
    encoding: str = "utf-8"
    header_row: HeaderRow = 1
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = '"'
    escape: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    last_line: Literal["ended", "open"] = "ended"


class Xlsx(_Table):
    """Sheets of an Excel workbook; each row that is not empty is a record, an empty cell is null.

    Numbers stay numbers, whole ones without a fraction; dates and times become ISO 8601 text, in the
    workbook's own date system. A formula counts as the value that was stored with it. A merged cell counts
    for every cell that it covers. A cell with an error, a formula whose value was not stored, or a number of
    more than 15 digits, which Excel has rounded, rejects its record.

    Attributes:
        sheets: pattern of the names of the sheets that are read, in their order; left out where one is
            visible.
        header_row: the row that names the columns; those above it are not read.
    """

    format: Literal["xlsx"]
    sheets: str | None = None
    header_row: HeaderRow = 1


class Parquet(_Table):
    """Apache Parquet. Dates and times become ISO 8601 text, decimals text; bytes reject their record."""

    format: Literal["parquet"]


class Xml(_Location):
    """XML; each element at `records` is a record.

    A child element is a field, of several of one name a list, with children an object; an attribute is the
    field `@name`, text beside attributes or children `#text`. Every value is a string, or null where there is
    blank text only or `xsi:nil`. Names are local ones unless `namespaces` gives their namespace a prefix. A
    document type declaration is refused. Places in a page are dotted paths from the children of its root.
    """

    format: Literal["xml"]
    records: ElementPath
    namespaces: dict[str, str] = Field(default_factory=dict)
    lists: tuple[DottedPath, ...] = ()
    """Fields that are lists even where only one element stands there, and empty ones where none does."""


class Sql(_Location):
    """A table or view of a database, whose address is the connection's host: `postgresql://host:5432/database`.

    Each row is a record, in the types of JSON. Changes are the rows whose `updated` or `changes.field` is not
    below the cursor less `overlap`; the names in `changes.since` and `changes.until` have no meaning.

    Attributes:
        table: as the database keeps its name, with its schema: `cong_dan.v_nguoi`.
        take: columns that are read; all unless given.
    """

    in_table: ClassVar[bool] = True

    format: Literal["sql"]
    table: Annotated[str, Written(r"^[^.]+(\.[^.]+)?$", "write a table's name such as schema.view")]
    take: Annotated[tuple[str, ...], Field(min_length=1)] | None = None


Form = Json | JsonLines | Csv | Xlsx | Parquet | Xml
"""What responses and files are read as."""

Read = Annotated[Form | Sql, Field(discriminator="format")]


class PageSize(Section):
    """The parameter that says how many records a page holds; without one, `read` names {size}."""

    parameter: str | None = None
    value: Annotated[int, Field(ge=1, le=100_000)]


class _Declared(Section):
    """What a page declares; a source that holds less is an error. Files and tables declare nothing.

    Attributes:
        size: how many records to ask for; left out where the source decides. Of a table, `value` alone: how
            many rows a page has at most.
        total: count of all records of the selection.
        count: count of this page's records.
        more: true where another page follows.
    """

    size: PageSize | None = None
    total: Place | None = None
    count: Place | None = None
    more: Place | None = None


class NumberPages(_Declared):
    """Pages by number, beginning with `first`; without `parameter`, `read` names {page}."""

    kind: Literal["number"]
    parameter: str | None = None
    first: Literal[0, 1] = 1


class OffsetPages(_Declared):
    """Pages by offset from 0; without `parameter`, `read` names {offset}."""

    kind: Literal["offset"]
    parameter: str | None = None


class _Linked(_Declared):
    """Pages that name the next one.

    The last names none: null or empty; where it is absent, `total`, `more`, an earlier page or a smaller
    page, which is then asked for by `size`, must show that the listing ends.

    Attributes:
        end: `absent`: the source documents that its last page lacks it, and nothing else shows the end.
    """

    end: Literal["shown", "absent"] = "shown"


class CursorPages(_Linked):
    """Pages by an opaque token at `next`; absent, null or empty on the last page.

    It may be a list or an object, as of `search_after`; without `parameter`, `read` names {cursor}.
    """

    kind: Literal["cursor"]
    parameter: str | None = None
    next: Place


class NextUrlPages(_Linked):
    """Pages by the next page's address, whole or relative, at `next` in the body; same host only."""

    kind: Literal["next_url"]
    next: RecordPath


class LinkPages(_Linked):
    """Pages by a `Link: <url>; rel="next"` header (RFC 8288); same host only."""

    kind: Literal["link"]


class SinglePage(_Declared):
    """Everything in one response or in files, or on pages that the connector's own paginator finds."""

    kind: Literal["none"]


Pages = Annotated[
    NumberPages | OffsetPages | CursorPages | NextUrlPages | LinkPages | SinglePage,
    Field(discriminator="kind"),
]
