"""`connectors/<source>/connector.yaml`: how to read one source."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from oncehub.config.access import Auth, Limits, UrlPath
from oncehub.config.documents import Document, Section
from oncehub.config.quantities import Duration, Written
from oncehub.config.reading import Pages, Place, Read, RecordPath, SinglePage
from oncehub.config.syntax.templates import OF_REQUESTS

Name = Annotated[
    str,
    Written(
        r"^[a-z][a-z0-9_]{0,30}$", "write a name of at most 31 small letters, digits and _, a letter first"
    ),
]


class Updated(Section):
    """Where a record has the time of its last statement.

    Attributes:
        field: path in the record.
        format: strptime form, `iso8601`, `unix` (seconds) or `unix_ms`.
        zone: time zone where the format has none.
    """

    field: RecordPath
    format: str = "iso8601"
    zone: str = "UTC"


class TimeChanges(Section):
    """How to ask for what changed by the time of statement, sent in the form of `updated`.

    Attributes:
        since: parameter of the lower bound (inclusive); left out where `read` names {since}.
        until: parameter of the upper bound (exclusive), where the source knows one.
        overlap: how far below the cursor each window starts, for rows that commit late.
        skew: how far below the present each window ends.
    """

    kind: Literal["time"] = "time"
    since: str | None = None
    until: str | None = None
    overlap: Duration = timedelta(hours=1)
    skew: Duration = timedelta(minutes=5)


class SequenceChanges(Section):
    """How to ask for what changed by a number that rises with every change.

    Attributes:
        field: path of the number in the record.
        since: parameter of the lower bound: the highest number seen, less `overlap`.
        until: parameter of the upper bound, where the source knows one.
        overlap: how far below the highest number each reading starts, for changes that commit late.
    """

    kind: Literal["sequence"]
    field: RecordPath
    since: str | None = None
    until: str | None = None
    overlap: Annotated[int, Field(ge=0)] = 1000


class TokenChanges(Section):
    """How to ask for what changed since a token that the last page of each read names, as OData's delta link.

    Attributes:
        next: where the last page names it: an address of the same host, or with `parameter` a token.
        parameter: the query parameter that carries the token.
    """

    kind: Literal["token"]
    next: Place
    parameter: str | None = None


def _kind_of_changes(value: Any) -> str:
    kind = value.get("kind", "time") if isinstance(value, dict) else getattr(value, "kind", "time")
    return str(kind)


Changes = Annotated[
    Annotated[TimeChanges, Tag("time")]
    | Annotated[SequenceChanges, Tag("sequence")]
    | Annotated[TokenChanges, Tag("token")],
    Discriminator(_kind_of_changes),
]


class Watermark(Section):
    """Where the source gives the highest sequence of now; `value` is the number's place."""

    path: UrlPath
    value: Place


class Snapshot(Section):
    """Where everything is read from, for a stream whose changes are listed elsewhere.

    The watermark is taken before the snapshot. The changes read after it begin at the latest statement that
    the snapshot shows up to the watermark, less `overlap`, so a dump may have been made hours before it is
    read. By number or offset, its pages must keep their order while records change.

    Attributes:
        watermark: for changes by sequence; changes by time take the clock.
    """

    read: Read
    pages: Pages
    watermark: Watermark | None = None


class FlagDeletes(Section):
    """A deleted record arrives whole, with a field that marks it; without `equals`, any value does."""

    kind: Literal["flag"]
    field: RecordPath
    equals: str | bool | int | None = None


class TombstoneDeletes(Section):
    """A deleted record arrives among the others as its key and a marker only; see `FlagDeletes`.

    Attributes:
        stated: `record`: it says when, as others do; `received`: it counts as stated when it is read.
    """

    kind: Literal["tombstone"]
    field: RecordPath
    equals: str | bool | int | None = None
    stated: Literal["record", "received"] = "record"


class TombstoneStream(Section):
    """Deleted records are listed apart, asked for after the others with the same parameters of `changes`.

    A full read asks for all of them.

    Attributes:
        key: fields that name the record, in the order of the stream's key; that key unless given.
        updated: when it was deleted; as the stream's unless given.
    """

    kind: Literal["stream"]
    read: Read
    pages: Pages
    key: Annotated[tuple[RecordPath, ...], Field(min_length=1)] | None = None
    updated: Updated | None = None


class AbsenceDeletes(Section):
    """What a full snapshot no longer shows was deleted.

    Attributes:
        at_most: share of the live records that one snapshot may delete; more fails the run.
    """

    kind: Literal["absence"]
    at_most: Annotated[float, Field(gt=0, le=1)] = 0.2


Deletes = Annotated[
    FlagDeletes | TombstoneDeletes | TombstoneStream | AbsenceDeletes, Field(discriminator="kind")
]


class Parent(Section):
    """Records are requested for each record of another stream of the source, e.g. the documents of a dossier.

    Attributes:
        stream: the parent stream.
        take: names for fields of the parent record; `{name}` stands for it in `read.path` and `read.query`,
            and each record carries them under `parent`, in the place of a field of its own by that name.
        of: `all`: every parent is asked each time; `changed`: those that changed since they were last asked.
    """

    stream: Name
    take: Annotated[dict[Name, RecordPath], Field(min_length=1)]
    of: Literal["all", "changed"] = "all"


class Contract(Section):
    """What happens to a record that differs from its schema.

    `evolve`: it lands, and the difference is noted for the engineer; `ignore`: it lands; `quarantine`: it is
    kept aside; `stop`: the run ends before its page lands. Of several differences the strictest decides. Any
    other fault of a record is quarantined, as is a record whose key or time cannot be read.

    Attributes:
        unknown: a field that the schema neither describes nor requires of its object.
        changed_type: a value of another JSON type, null included; landing, it is read in the type agreed
            where nothing is lost (12 for "12" and the other way about) and the schema is then met, else as
            absent: an item of a list is left out, a required field counts as missing.
        missing: a required field is not there; landing, it is read as absent.
    """

    unknown: Literal["evolve", "ignore", "quarantine", "stop"] = "evolve"
    changed_type: Literal["evolve", "ignore", "quarantine", "stop"] = "quarantine"
    missing: Literal["evolve", "ignore", "quarantine", "stop"] = "quarantine"


class Quarantine(Section):
    """A run stops before it lands nonsense.

    Attributes:
        at_most: share of a run's records that may be rejected, counted once `after` were read.
    """

    at_most: Annotated[float, Field(gt=0, le=1)] = 0.2
    after: Annotated[int, Field(ge=1)] = 200


class _Records(Section):
    """Describes a stream's records, whether they are read or submitted.

    Attributes:
        key: fields that together name a record within the stream.
    """

    key: Annotated[tuple[RecordPath, ...], Field(min_length=1)]
    updated: Updated
    contract: Contract = Contract()
    quarantine: Quarantine = Quarantine()


class Submitted(_Records):
    """Records that are submitted by the source's agency instead of read; they wait in the hub to be landed.

    Nothing changes or deletes them but a later submission under the same key.
    """

    @property
    def changes(self) -> None:
        """What is submitted is there as a whole."""
        return None

    @property
    def deletes(self) -> None:
        """No submission says that a record was deleted."""
        return None

    @property
    def parent(self) -> None:
        """Nothing is asked for."""
        return None


class Stream(_Records):
    """One collection of records that the source offers."""

    read: Read
    pages: Pages
    changes: Changes | None = None
    snapshot: Snapshot | None = None
    deletes: Deletes | None = None
    parent: Parent | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Stream:
        for place in self._places():
            _check_pages(place.read, place.pages)
        if self.read.in_table and isinstance(self.changes, TokenChanges):
            raise ValueError("a table names no token of its changes; write changes by time or kind: sequence")
        if isinstance(self.deletes, AbsenceDeletes) and self.changes and not self.snapshot:
            raise ValueError(
                "deletion by absence needs a full snapshot; remove changes, give snapshot, or choose flag"
            )
        if isinstance(self.changes, TokenChanges) and (
            self.snapshot or self.parent or isinstance(self.deletes, TombstoneStream)
        ):
            raise ValueError("changes by token take no snapshot, parent or deletes of kind stream")
        self._check_snapshot()
        self._check_parent()
        return self

    def _places(self) -> list[Stream | Snapshot | TombstoneStream]:
        others = (self.snapshot, self.deletes if isinstance(self.deletes, TombstoneStream) else None)
        return [self, *(other for other in others if other is not None)]

    def _check_snapshot(self) -> None:
        if self.snapshot is None:
            return
        if self.changes is None:
            raise ValueError("a snapshot needs changes, which are read after it; else move it into read")
        by_sequence = isinstance(self.changes, SequenceChanges)
        if by_sequence != (self.snapshot.watermark is not None):
            raise ValueError(
                "snapshot needs a watermark: the sequence before it is read"
                if by_sequence
                else "snapshot.watermark is for changes by sequence; remove it, the clock serves"
            )

    def _check_parent(self) -> None:
        named = set(re.findall(r"\{(\w+)\}", self.read.path or "")) - {"name"}
        named |= self.read.placeholders - OF_REQUESTS
        known = set(self.parent.take) if self.parent else set()
        if taken := sorted(known & OF_REQUESTS):
            raise ValueError(f"parent.take.{taken[0]}: {{{taken[0]}}} stands for something else; rename it")
        if stray := sorted(named - known):
            raise ValueError(f"nothing stands for {{{stray[0]}}}; name it in parent.take")
        if self.parent and (
            self.snapshot
            or self.read.in_files
            or self.read.in_table
            or isinstance(self.deletes, TombstoneStream)
        ):
            raise ValueError("a stream of children takes no snapshot, files, table or stream of tombstones")
        if self.parent and self.changes and self.parent.of == "changed":
            raise ValueError("children of changed parents are read whole; remove changes, or write of: all")


def _check_pages(read: Read, pages: Pages) -> None:
    """Refuse what is said of the pages of files and tables, which nothing would heed."""
    if not (read.in_files or read.in_table):
        return
    if not isinstance(pages, SinglePage):
        raise ValueError("files and tables have no pages; write pages: {kind: none}")
    if stray := next((name for name in ("total", "count", "more") if getattr(pages, name) is not None), None):
        raise ValueError(
            f"pages.{stray}: files and tables declare nothing about themselves; remove it"
            + (", and name the rows of each file in listing.rows" if read.listing else "")
        )
    if pages.size and read.in_files:
        raise ValueError("pages.size: files are read whole; remove it")
    if pages.size and pages.size.parameter:
        raise ValueError("pages.size.parameter: a table is asked by no request; write pages.size.value alone")


Plugin = Literal["paginator", "signer", "reader"]


class Connector(Document):
    """How to read one source.

    Attributes:
        source: its name; equals the folder's name.
        schedule: cron expression, Vietnam time.
        plugin: the step of reading, or the list of steps, that `connector.py` beside this file replaces.
        streams: what is read.
        submitted: streams whose records are submitted, e.g. the answers of a form.
    """

    source: Name
    title: str
    schedule: Annotated[
        str, Written(r"^(\S+\s+){4}\S+$", 'write the five fields of cron such as "10 3 * * *", at 03:10')
    ]
    auth: Auth
    limits: Limits = Limits()
    plugin: Plugin | Annotated[tuple[Plugin, ...], Field(min_length=1)] | None = None
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    submitted: dict[Name, Submitted] = Field(default_factory=dict)

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All steps that `connector.py` replaces."""
        return (self.plugin,) if isinstance(self.plugin, str) else self.plugin or ()

    @property
    def landed(self) -> dict[str, Stream | Submitted]:
        """All streams, in file order: those that are read, then those that are submitted."""
        return {**self.streams, **self.submitted}

    def keys_of(self, stream: str) -> tuple[str, str]:
        """The keys that lead to a stream in the file."""
        return ("submitted" if stream in self.submitted else "streams"), stream

    @model_validator(mode="after")
    def _named_apart(self) -> Connector:
        if twice := sorted(set(self.streams) & set(self.submitted)):
            raise ValueError(f"submitted.{twice[0]}: is a stream that is read, too; choose another name")
        return self

    @model_validator(mode="after")
    def _parents_exist(self) -> Connector:
        for name, stream in self.streams.items():
            if stream.parent is None:
                continue
            parent = self.streams.get(stream.parent.stream)
            if parent is None or parent.parent is not None:
                raise ValueError(
                    f"streams.{name}.parent.stream: {stream.parent.stream!r} must be another stream of this"
                    " source without a parent of its own"
                )
            if stream.parent.of == "changed" and (
                parent.changes is None or isinstance(parent.changes, TokenChanges)
            ):
                raise ValueError(
                    f"streams.{name}.parent.of: its parent knows no changes by time or number; write of: all"
                )
        return self
