"""What each kind of `retention.yaml` is: which rows are due, and what of them goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg2 import sql

from oncehub.config.entities import Entity
from oncehub.config.operation import Kind

_DELETE: Final = "delete from {table} t using doomed d where {same} returning {keys}"
_UPDATE: Final = "update {table} t set {change} from doomed d where {same} returning {keys}"

_COUNT: Final = sql.SQL("select count(*) from {table} t where {due}")

# Rows that another transaction has locked are purged the next time.
_PURGE: Final = sql.SQL("""
with doomed as (
    select {key} from {table} t where {due} order by {key} limit %(size)s for update of t skip locked
),
removed as ({removing})
select keys from removed order by keys
""")

_OF_RESOLVED: Final = "t.resolved_at < %(horizon)s"

# What a person's link or a mark still leads to is settled first.
_OF_DELETED: Final = """
t.deleted_at < %(horizon)s
and not exists (
    select from intake.dirty d
    where (d.source, d.stream, d.source_key) = (t.source, t.stream, t.source_key)
)
and not exists (
    select from truth.link k
    where (k.source, k.stream, k.source_key) = (t.source, t.stream, t.source_key)
)
"""

_OF_EARLIER: Final = "t.believed_until < %(horizon)s"

# A source is notified that a discrepancy has closed before it is deleted.
_OF_CLOSED: Final = """
t.closed_at < %(horizon)s
and not exists (
    select from share.correction_feed f
    where f.source = t.source and t.changed_in >= f.published_below
)
"""

_OF_CASES: Final = "t.closed_at < %(horizon)s and t.evidence <> '{}'"

# Up to the line that every client has acknowledged, the last line of a person replaces earlier ones.
_OF_REPLACED: Final = """
t.published_at < %(horizon)s and not t.line ? 'purged'
and exists (
    select from unnest(%(feeds)s::text[], %(kept)s::bigint[]) k (feed, sequence)
    join share.feed_entry later on later.feed = k.feed and later.sequence <= k.sequence
    where k.feed = t.feed and later.person_key = t.person_key and later.sequence > t.sequence
)
"""

_OF_FORMS: Final = """
t.answered_at < %(horizon)s
and not exists (select from share.submission s where s.request_id = t.request_id)
"""

# What was said waits since the transaction that wrote the row, and so bears its time.
_OF_LANDED: Final = """
t.submitted_at < %(horizon)s
and not exists (select from intake.submission w where w.submitted_at = t.submitted_at)
"""

# Who publishes compares with the last line of an open notice: that one never goes.
_SETTLING: Final = """
select from share.notice settling
where settling.source = t.source and settling.notice = t.notice and settling.published_at < %(horizon)s
    and (settling.sequence > t.sequence or settling.sequence = t.sequence and t.change = 'closed')
"""

_KEPT_BY_SOURCE: Final = """
    and exists (
        select from unnest(%(feeds)s::text[], %(kept)s::bigint[]) k (feed, sequence)
        where k.feed = 'corrections.' || t.source and settling.sequence <= k.sequence
    )
"""

_OF_SETTLED: Final = f"not t.line ? 'purged' and exists ({_SETTLING} {_KEPT_BY_SOURCE})"

_OF_UNACKNOWLEDGED: Final = f"""
not t.line ? 'purged' and exists ({_SETTLING}) and not exists ({_SETTLING} {_KEPT_BY_SOURCE})
"""

_OF_NOTICES: Final[Mapping[Kind, str]] = {
    "settled_notices": _OF_SETTLED,
    "unacknowledged_notices": _OF_UNACKNOWLEDGED,
}

_OF_EXPIRED: Final = "t.expires_at < %(horizon)s"

_OF_FOLLOWED: Final = """
t.finished_at < %(horizon)s and t.state <> 'running'
and exists (
    select from intake.run later
    where (later.source, later.stream, later.mode) = (t.source, t.stream, t.mode)
        and later.state = 'succeeded' and later.run_id > t.run_id
)
and not exists (select from intake.rejected r where r.run_id = t.run_id)
and not exists (select from intake.drift r where r.run_id = t.run_id)
and not exists (select from intake.checkpoint r where r.run_id = t.run_id)
and not exists (select from intake.seen r where r.run_id = t.run_id)
"""

# The balance of the last closed run opens the next.
_OF_CLOSED_RUNS: Final = """
t.closed_at < %(horizon)s
and exists (select from truth.run later where later.run_id > t.run_id and later.closed_at is not null)
"""

_OF_RELEASES: Final = "t.released_at < %(horizon)s"

_WITHOUT_VALUES: Final = """line = jsonb_build_object(
    'kind', t.line -> 'kind', 'changed', '[]'::jsonb, 'values', '{}'::jsonb, 'as_of', t.line -> 'as_of',
    'purged', true
)"""

# What stays is counted by `oncehub corrections status`.
_WITHOUT_STATEMENTS: Final = """line = jsonb_strip_nulls(jsonb_build_object(
    'closed_because', t.line -> 'closed_because'
)) || jsonb_build_object(
    'kind', t.line -> 'kind',
    'record', jsonb_build_object('stream', t.line #> '{record,stream}', 'key', null),
    'attribute', t.line -> 'attribute', 'source_value', null, 'stated_at', t.line -> 'stated_at',
    'golden_value', null, 'asserted_by', null, 'opened_at', t.line -> 'opened_at',
    'closed_at', t.line -> 'closed_at', 'resolution_times', t.line -> 'resolution_times',
    'purged', true
)"""


@dataclass(frozen=True)
class Purge:
    """One table of a kind.

    Attributes:
        table: schema and name.
        key: its primary key.
        due: the condition on a row `t` that has come to its end before `horizon`.
        change: what of a row goes; without, the whole row does.
    """

    kind: Kind
    table: tuple[str, str]
    key: tuple[str, ...]
    due: str
    change: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table, qualified."""
        return ".".join(self.table)

    def count(self) -> sql.Composed:
        """The query that counts what is due before `horizon`."""
        return _COUNT.format(table=self._table, due=sql.SQL(self.due))

    def purge(self) -> sql.Composed:
        """The statement that purges at most `size` rows due before `horizon`, and returns their keys."""
        removing = sql.SQL(_UPDATE if self.change else _DELETE).format(
            table=self._table,
            change=sql.SQL(self.change or ""),
            same=sql.SQL("({}) = ({})").format(self._keys("t"), self._keys("d")),
            keys=sql.SQL("concat_ws(E'\\x1f', {}) as keys").format(self._keys("t")),
        )
        return _PURGE.format(key=self._keys("t"), table=self._table, due=sql.SQL(self.due), removing=removing)

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(*self.table)

    def _keys(self, of: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(of, name) for name in self.key)


def purges(entities: Mapping[str, Entity], kept: Mapping[str, int]) -> list[Purge]:
    """Return every table that is purged.

    Args:
        entities: the canonical entities, whose records are purged.
        kept: by feed, or `corrections.<source>`, up to which line every client of its agency has said that it
            keeps it.
    """
    kept_upto = {"feeds": list(kept), "kept": list(kept.values())}
    notices = "share", "notice"
    return [
        Purge("rejected_payloads", ("intake", "rejected"), ("rejected_id",), _OF_RESOLVED),
        *(
            Purge("deleted_records", ("record", name), entity.key_columns, _OF_DELETED)
            for name, entity in entities.items()
        ),
        Purge("person_versions", ("truth", "person_version"), ("person_key", "believed_from"), _OF_EARLIER),
        Purge("closed_discrepancies", ("truth", "discrepancy"), ("discrepancy_id",), _OF_CLOSED),
        Purge("closed_case_evidence", ("truth", "case_file"), ("case_id",), _OF_CASES, "evidence = '{}'"),
        Purge(
            "superseded_feed_entries",
            ("share", "feed_entry"),
            ("feed", "sequence"),
            _OF_REPLACED,
            _WITHOUT_VALUES,
            kept_upto,
        ),
        # Submissions first, whose forms go after them.
        Purge("landed_submissions", ("share", "submission"), ("request_id",), _OF_LANDED),
        Purge("filled_forms", ("share", "prefill"), ("request_id",), _OF_FORMS),
        *(
            Purge(kind, notices, ("source", "sequence"), due, _WITHOUT_STATEMENTS, kept_upto)
            for kind, due in _OF_NOTICES.items()
        ),
        Purge("used_assertions", ("share", "assertion"), ("client_id", "jti"), _OF_EXPIRED),
        Purge("finished_runs", ("intake", "run"), ("run_id",), _OF_FOLLOWED),
        Purge("finished_runs", ("truth", "run"), ("run_id",), _OF_CLOSED_RUNS),
        Purge("finished_runs", ("share", "release"), ("release_id",), _OF_RELEASES),
    ]
