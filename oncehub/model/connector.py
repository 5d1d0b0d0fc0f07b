"""`connectors/<source>/connector.yaml`: how to read one source."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from oncehub.model.documents import Document, Part
from oncehub.model.units import Duration, Rate

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
RecordPath = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Dotted path into a record or a page, e.g. `data.items`."""

UrlPath = Annotated[str, StringConstraints(pattern=r"^/\S*$")]


class NoAuth(Part):
    """The source asks for no credentials."""

    kind: Literal["none"]


class ApiKey(Part):
    """A fixed key in a header; the key is the connection's password."""

    kind: Literal["api_key"]
    header: str


class OAuth2(Part):
    """OAuth 2.0 client credentials (RFC 6749 section 4.4); login and password are the client's."""

    kind: Literal["oauth2"]
    token_path: UrlPath
    scope: str | None = None


class Hmac(Part):
    """HMAC-SHA256 over method, path, query, timestamp and body digest, one a line."""

    kind: Literal["hmac"]
    key_id_header: str
    timestamp_header: str
    signature_header: str


class MutualTls(Part):
    """Client certificate; the connection's extra names `client_certificate`, `client_key` and `ca`."""

    kind: Literal["mutual_tls"]


Auth = Annotated[NoAuth | ApiKey | OAuth2 | Hmac | MutualTls, Field(discriminator="kind")]


class Limits(Part):
    """What the source can bear.

    Attributes:
        requests: at most this many a second.
        timeout: for one answer.
        attempts: tries of one request before the run fails.
        longest_wait: a Retry-After beyond this fails the run (to be tried later) instead of sleeping.
        page_bytes: a larger answer is refused.
    """

    requests: Rate = 20.0
    timeout: Duration = timedelta(seconds=30)
    attempts: Annotated[int, Field(ge=1, le=10)] = 5
    longest_wait: Duration = timedelta(minutes=1)
    page_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024


class JsonPages(Part):
    """JSON answers; `records` is the path to the list of records in a page."""

    format: Literal["json"]
    path: UrlPath
    records: RecordPath


class CsvFiles(Part):
    """CSV files listed in a JSON manifest with SHA-256 sums.

    Attributes:
        manifest: path of the manifest.
        files: path to the list in it; each entry has `name_field`, `sha256_field` and `rows_field`.
        path: path of one file, with `{name}`.
    """

    format: Literal["csv"]
    manifest: UrlPath
    files: RecordPath
    name_field: str = "name"
    sha256_field: str = "sha256"
    rows_field: str = "rows"
    path: UrlPath
    encoding: str = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    compression: Literal["none", "gzip"] = "none"


Read = Annotated[JsonPages | CsvFiles, Field(discriminator="format")]


class PageSize(Part):
    """The parameter that says how many records a page holds."""

    parameter: str
    value: Annotated[int, Field(ge=1, le=100_000)]


class NumberPages(Part):
    """Pages by number from 1; `total` is the path to the count of records."""

    kind: Literal["number"]
    parameter: str
    size: PageSize
    total: RecordPath | None = None


class OffsetPages(Part):
    """Pages by offset from 0; `total` is the path to the count of records."""

    kind: Literal["offset"]
    parameter: str
    size: PageSize
    total: RecordPath | None = None


class CursorPages(Part):
    """Pages by an opaque token at path `next`; absent or null on the last page."""

    kind: Literal["cursor"]
    parameter: str
    next: RecordPath
    size: PageSize
    total: RecordPath | None = None


class LinkPages(Part):
    """Pages by a `Link: <url>; rel="next"` header (RFC 8288)."""

    kind: Literal["link"]
    size: PageSize


class SinglePage(Part):
    """Everything in one answer, or one page a file."""

    kind: Literal["none"]


Pages = Annotated[
    NumberPages | OffsetPages | CursorPages | LinkPages | SinglePage, Field(discriminator="kind")
]


class Updated(Part):
    """Where a record says when it was last stated.

    Attributes:
        field: path in the record.
        format: strptime form, or `iso8601`.
        zone: time zone of a form that states none.
    """

    field: RecordPath
    format: str = "iso8601"
    zone: str = "UTC"


class Changes(Part):
    """How to ask for what changed; times are sent in the form of `updated`.

    Attributes:
        since: parameter of the lower bound (inclusive).
        until: parameter of the upper bound (exclusive), where the source knows one.
        overlap: how far below the cursor each window starts, for rows that commit late.
        skew: how far below the present each window ends.
    """

    since: str
    until: str | None = None
    overlap: Duration = timedelta(hours=1)
    skew: Duration = timedelta(minutes=5)


class FlagDeletes(Part):
    """A deleted record comes whole, with a field that says so."""

    kind: Literal["flag"]
    field: RecordPath
    equals: str | bool | int


class TombstoneDeletes(Part):
    """A deleted record comes as its key and a mark only."""

    kind: Literal["tombstone"]
    field: RecordPath
    equals: str | bool | int


class AbsenceDeletes(Part):
    """Every read is a full snapshot; what is absent was deleted.

    Attributes:
        at_most: share of the live records that one snapshot may delete; more fails the run.
    """

    kind: Literal["absence"]
    at_most: Annotated[float, Field(gt=0, le=1)] = 0.2


Deletes = Annotated[FlagDeletes | TombstoneDeletes | AbsenceDeletes, Field(discriminator="kind")]


class Contract(Part):
    """What a field that the contract does not know does to its record."""

    unknown: Literal["ignore", "quarantine"] = "ignore"


class Quarantine(Part):
    """A run stops before it lands nonsense.

    Attributes:
        at_most: share of a run's records that may be rejected, counted once `after` were read.
    """

    at_most: Annotated[float, Field(gt=0, le=1)] = 0.2
    after: Annotated[int, Field(ge=1)] = 200


class Stream(Part):
    """One collection of records that the source offers.

    Attributes:
        key: fields that together name a record within the stream.
    """

    read: Read
    pages: Pages
    key: Annotated[tuple[RecordPath, ...], Field(min_length=1)]
    updated: Updated
    changes: Changes | None = None
    deletes: Deletes | None = None
    contract: Contract = Contract()
    quarantine: Quarantine = Quarantine()

    @model_validator(mode="after")
    def _consistent(self) -> Stream:
        if isinstance(self.read, CsvFiles) and not isinstance(self.pages, SinglePage):
            raise ValueError("files have no pages; write pages: {kind: none}")
        if isinstance(self.deletes, AbsenceDeletes) and self.changes:
            raise ValueError("deletion by absence needs a full snapshot; remove changes or choose flag")
        return self


class Connector(Document):
    """How to read one source.

    Attributes:
        source: its name; equals the folder's name.
        schedule: cron expression, Vietnam time.
    """

    source: Name
    title: str
    schedule: Annotated[str, StringConstraints(pattern=r"^(\S+\s+){4}\S+$")]
    auth: Auth
    limits: Limits = Limits()
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
