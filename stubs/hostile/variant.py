"""The ways in which the register can be served; every one of them is an honest source."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Auth = Literal[
    "none",
    "api_key_header",
    "api_key_query",
    "api_key_cookie",
    "basic",
    "bearer",
    "oauth2_basic",
    "oauth2_post",
    "oauth2_jwt",
    "hmac",
    "signature_ed25519",
    "signature_hmac",
    "mutual_tls",
]
Format = Literal["json", "jsonl", "csv", "xml"]
Pages = Literal["none", "number", "offset", "cursor", "next_url", "link"]
TimeForm = Literal["iso8601", "vietnam", "unix", "unix_ms"]


class Variant(BaseModel):
    """How the register is served. The defaults are the source that `API.md` describes."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    auth: Auth = "oauth2_basic"
    """How a request is authenticated."""
    token_seconds: int = Field(default=300, ge=1)
    """Lifetime of an OAuth2 token."""

    transport: Literal["pages", "files", "drop"] = "pages"
    """HTTP listings; files behind an HTTP manifest; files written into a folder. Files are snapshots: the
    options of pages and changes below do not apply to them."""
    format: Format = "json"
    """The format of records."""
    body_is_list: bool = False
    """JSON without an envelope: the body itself is the list."""
    encoding: Literal["utf-8", "cp1258", "utf-16"] = "utf-8"
    """The encoding of CSV and XML."""
    bom: bool = False
    """A byte order mark before UTF-8 CSV."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """Between the columns of CSV."""
    quoting: Literal["minimal", "all"] = "minimal"
    """Which CSV values stand in quotes."""
    compression: Literal["none", "file", "transfer"] = "none"
    """gzip as a file of its own (`.gz`), or as the transfer's Content-Encoding."""

    pages: Pages = "cursor"
    """How a listing is cut. A cursor stands in the body, or where that has no room in `X-Next-Cursor`."""
    first_page: Literal[0, 1] = 1
    """Number of the first page, where pages go by number."""
    relative_next: bool = False
    """The next URL in a body or Link header is a path rather than a whole URL."""
    page_cap: int = Field(default=500, ge=1)
    """Maximum number of records in a page; a larger `limit` is silently reduced to it."""
    total: Literal["none", "body", "header"] = "body"
    """Where the number of records in the whole listing stands; the header is `X-Total-Count`."""
    count: bool = False
    """Whether a page states how many records it holds."""
    more: bool = False
    """Whether a page states that another one follows."""

    changes: Literal["none", "time", "sequence"] = "time"
    """Whether the listing can be asked for what changed, and by what: `since` and `until`, or `afterSeq`."""
    time: TimeForm = "iso8601"
    """How times are written, in records and in parameters."""
    after_inclusive: bool = False
    """Whether the record at `afterSeq` itself comes again."""
    separate_changes: bool = False
    """Changes come from `/changes`, and `/holders` is a snapshot only."""
    deletes: Literal["flag", "tombstone", "separate", "absence"] = "flag"
    """A deleted record comes among the changes with `trangThai` HUY; as a key with `daXoa`; so in the listing
    `/deleted`; or not at all."""

    @property
    def has_envelope(self) -> bool:
        """Whether the body has room for more than records."""
        return self.format == "xml" or (self.format == "json" and not self.body_is_list)

    @property
    def token_pages(self) -> bool:
        """Whether the source, not the reader, says where the next page begins."""
        return self.pages in ("cursor", "next_url", "link")

    @property
    def lists_deleted(self) -> bool:
        """Whether deleted records come in the listing of changes itself."""
        return self.deletes in ("flag", "tombstone")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.has_envelope and self.transport == "pages":
            if self.pages == "next_url":
                raise ValueError("a next URL needs room in the body; choose pages link, or an envelope")
            if self.total == "body" or self.count or self.more:
                raise ValueError("total, count and more need room in the body; choose total header or none")
        if self.body_is_list and self.format != "json":
            raise ValueError("only JSON can be a list without an envelope")
        if self.encoding != "utf-8" and self.format not in ("csv", "xml"):
            raise ValueError(f"{self.format} is always UTF-8; choose csv or xml for {self.encoding}")
        if self.bom and (self.format, self.encoding) != ("csv", "utf-8"):
            raise ValueError("bom goes with UTF-8 CSV")
        if (self.separate_changes or self.deletes == "separate") and self.changes == "none":
            raise ValueError("listings of changes and of deleted records need changes time or sequence")
        return self
