"""Resume tokens: where a later process continues to read a stream, behind the last page that was kept.

`Page.next` is a token. It is stored with the records of its page, and checked when it is read back. It holds
no credential; tokens and addresses of pages are as the source gave them. `oncehub.intake.runs.checkpoint`
stores it, and `oncehub.intake.runs.start` resumes from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from oncehub.connect.stream.window import Bound
from oncehub.errors import ResumeTokenInvalid

VERSION: Final = 1
"""Raised when a token changes its shape, so that one of an earlier release is refused, not misread."""

Phase = Literal["snapshot", "changes", "records", "rest", "deletions"]


@dataclass(frozen=True)
class LoopCheck:
    """Digest of the token compared with, tokens since it, and how many until the next one is taken."""

    digest: str
    steps: int = 0
    until: int = 1


@dataclass(frozen=True)
class OffsetPosition:
    """What pagination by number or offset knows of the pages before.

    Attributes:
        at: of the next page, counted from 0, in pages or records.
        page_size: records of the first page.
        before_at, before_digest: the page before the next one; None where the reader has just stepped back.
        furthest: how far the reader was before the total shrank; None while it has not.
        steps_back: in a row without getting further.
        restarts: times that the listing was read again from its beginning.
    """

    at: int = 0
    page_size: int = 0
    before_at: int | None = None
    before_digest: str | None = None
    furthest: int | None = None
    steps_back: int = 0
    restarts: int = 0


@dataclass(frozen=True)
class PagePosition:
    """The next page of a listing.

    Attributes:
        selection: digest of what is listed and how it is paged; another listing does not continue here.
        number: of the page, from 1.
        read: records before it.
        total: of the whole listing, as far as declared.
        token: cursor or address of the page.
        token_is_json: whether the cursor is no text, and the token is how JSON writes it.
        query: parameters of the page, from the connector's own paginator.
        loop: notices pages that lead in a circle.
        offset: set where pages are asked for by number or offset.
    """

    selection: str
    number: int = 1
    read: int = 0
    total: int | None = None
    token: str | None = None
    query: dict[str, str] | None = None
    loop: LoopCheck | None = None
    offset: OffsetPosition = OffsetPosition()
    token_is_json: bool = False


@dataclass(frozen=True)
class FilePosition:
    """The next row of a set of files.

    Attributes:
        files: digest of the set; other files are read from their beginning.
        file, row: counted from 0.
        number: of the next page.
    """

    files: str
    file: int = 0
    row: int = 0
    number: int = 1


@dataclass(frozen=True)
class TablePosition:
    """The next row of a table.

    Attributes:
        selection: digest of what is selected and in which order; another one is read from its beginning.
        after: what the columns of the order held in the last row read; None at the beginning.
        incomplete: whether only rows that lack one of these columns are left.
        number: of the next page, from 1.
        total: rows counted before the first.
    """

    selection: str
    after: tuple[str, ...] | None = None
    incomplete: bool = False
    number: int = 1
    total: int | None = None


@dataclass(frozen=True)
class StreamPosition:
    """The phase of a read: its snapshot, what changed since, what was deleted.

    Attributes:
        since, until: what the phase asks for.
        pages, records: of the phases before.
        phase_records: of this phase so far.
        high_water_mark: latest time or sequence that the snapshot shows, as far as it counts.
        watermark: the sequence before the snapshot began.
        token: from which changes are asked for.
    """

    phase: Phase
    since: Bound = None
    until: Bound = None
    pages: int = 0
    records: int = 0
    phase_records: int = 0
    high_water_mark: Bound = None
    watermark: int | None = None
    token: str | None = None


@dataclass(frozen=True)
class ChildrenPosition:
    """The next parent on a page of parents.

    Attributes:
        number: of the next page of children.
        index: of the parent, from 0.
        digest: of the parents before it; the page is asked for again where they differ.
        page: where to continue among that parent's children; None begins with the first page.
    """

    number: int
    index: int
    digest: str
    page: PagePosition | None = None


@dataclass(frozen=True)
class ResumeToken:
    """Where to continue to read a stream.

    Attributes:
        page: in the listing or files being read; None at their beginning. Of child streams, the page of
            parents.
        stream: the phase that this listing belongs to; None at the beginning of a read.
        children: of child streams only.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    page: PagePosition | FilePosition | TablePosition | None = None
    stream: StreamPosition | None = None
    children: ChildrenPosition | None = None
    version: Literal[1] = VERSION

    def stored(self) -> dict[str, Any]:
        """Return the token as a JSON object."""
        content: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return content

    @classmethod
    def load(cls, stored: ResumeToken | Mapping[str, Any], source: str, stream: str) -> ResumeToken:
        """Check a token and return it, also from the JSON object that `stored` made.

        Raises:
            ResumeTokenInvalid: when it is of another version or shape.
        """
        if isinstance(stored, ResumeToken):
            return stored
        try:
            return _ADAPTER.validate_python(stored)
        except ValidationError:
            version = stored.get("version")
            problem = "is damaged" if version == VERSION else f"is of version {version!r}, not {VERSION}"
            raise ResumeTokenInvalid(
                f"{source}.{stream}: the stored resume token {problem}, so the interrupted read cannot"
                f" continue; run `oncehub sync {source} --stream {stream}` again, which reads it anew"
            ) from None


_ADAPTER = TypeAdapter(ResumeToken)
