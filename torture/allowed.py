"""What may differ between a killed hub and one that was not: columns and tables, each with its reason.

Everything that is not named here is compared, so a new table or column is, too.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Instead(NamedTuple):
    """What is compared instead of a column or a table: an SQL expression or query, and why."""

    compared: str
    because: str


_TIME: Final = "the time of the machine: compared is whether it is set"
_ID: Final = "counted by an identity: a transaction that was rolled back leaves a gap"
_RUN: Final = "an interrupted command is another run"
_XID: Final = "the server's number of the transaction"
_ORDER: Final = "entries of one publication follow the order of commit: compared is the order for each person"


def _times(*columns: str) -> dict[str, Instead]:
    return {each: Instead(f"t.{each.rpartition('.')[2]} is not null", _TIME) for each in columns}


def _without(because: str, *columns: str) -> dict[str, Instead]:
    return dict.fromkeys(columns, Instead("null", because))


_DISCREPANCY: Final = """(
    select jsonb_build_array(d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind)
    from truth.discrepancy d where d.discrepancy_id = t.discrepancy_id
)"""

_LINE_TIMES: Final = """t.line || jsonb_build_object(
    'opened_at', t.line ->> 'opened_at' is not null, 'closed_at', t.line ->> 'closed_at' is not null,
    'resolution_times', t.line -> 'resolution_times' is not null
)"""

COLUMNS: Final[dict[str, Instead]] = {
    **_times(
        "public.oncehub_migration.applied_at",
        "intake.cursor.advanced_at",
        "intake.rejected.received_at",
        "intake.rejected.resolved_at",
        "intake.drift.first_seen",
        "intake.drift.last_seen",
        "truth.person.believed_from",
        "truth.discrepancy.opened_at",
        "truth.discrepancy.closed_at",
        "truth.case_file.opened_at",
        "truth.case_file.closed_at",
        "truth.link.linked_at",
        "truth.unlinked.since",
        "truth.rules.since",
        "share.change.occurred_at",
        "share.feed.published_at",
        "share.feed_entry.published_at",
        "share.correction_feed.published_at",
        "share.notice.published_at",
        "share.client.added_at",
        "share.client_key.added_at",
        "share.client_key.valid_from",
        "share.client_key.valid_until",
        "share.token_key.signs_since",
        "share.request_key.added_at",
        "share.consumer_offset.at",
        "audit.entry.at",
        "hub.history.begun_at",
        "hub.key.noted_at",
        "hub.data_key.made_at",
        "record.*.received_at",
        "record.*.deleted_at",
    ),
    **_without(
        _ID,
        "intake.rejected.rejected_id",
        "truth.discrepancy.discrepancy_id",
        "truth.case_file.case_id",
        "share.change.change_id",
        "share.token_key.change_id",
        "truth.rules.change_id",
        "audit.entry.entry_id",
    ),
    **_without(_RUN, "intake.rejected.run_id", "intake.drift.run_id"),
    **_without(
        _XID,
        "truth.discrepancy.changed_in",
        "share.change.transaction",
        "share.feed.transaction",
        "share.feed.change_id",
        "share.correction_feed.published_below",
        "audit.entry.transaction",
    ),
    **_without("drawn at random for each request", "audit.entry.request_id"),
    **_without(
        "root over a page's lines with their sequences; `audit verify` checks it", "audit.entry.given"
    ),
    **_without(
        "what a process takes ahead, and loses when it is killed, depends on the time",
        "share.request_limit.at",
        "share.request_limit.day",
        "share.request_limit.level",
        "share.request_limit.used",
    ),
    **_without(
        "each hub is a database of its own",
        "hub.history.epoch",
        "hub.history.system_identifier",
        "hub.history.database",
        "hub.history.relation",
    ),
    "intake.drift.records": Instead(
        "null", "counted each time that a record is read, so also on reading again"
    ),
    "truth.person_version.believed_from": Instead(
        "row_number() over (partition by t.person_key order by t.believed_from)", _TIME
    ),
    "truth.person_version.believed_until": Instead("t.believed_until is not null", _TIME),
    "share.feed_entry.sequence": Instead(
        "row_number() over (partition by t.feed, t.person_key order by t.sequence)", _ORDER
    ),
    "share.feed_entry.line": Instead("t.line - 'as_of'", "as_of is the time of the publication"),
    "share.notice.sequence": Instead(
        "row_number() over (partition by t.source, t.notice order by t.sequence)", _ORDER
    ),
    "share.notice.notice": Instead("t.notice = t.sequence", _ORDER),
    "share.notice.discrepancy_id": Instead(_DISCREPANCY, _ID),
    "share.notice.line": Instead(_LINE_TIMES, _TIME),
}


def instead_of(schema: str, table: str, column: str) -> Instead | None:
    """Return what is compared instead of a column; None where its value is."""
    return COLUMNS.get(f"{schema}.{table}.{column}") or COLUMNS.get(f"{schema}.*.{column}")


_RUNS_PURGED: Final = "exists (select from audit.purge where kind = 'finished_runs')"

TABLES: Final[dict[str, Instead]] = {
    "intake.run": Instead(
        """
        select source, stream, sum(accepted) as accepted, sum(deleted) as deleted,
            bool_or(state = 'running') as is_running
        from intake.run
        where started_at > coalesce((select max(purged_at) from audit.purge), '-infinity')
        group by source, stream
        """,
        "an interrupted read is another run and reads again: compared is what all runs since a purge changed",
    ),
    "share.asked": Instead(
        "select 1 as proven where false", "requests of the last minutes, until they are old"
    ),
    "truth.run": Instead("select count(*) > 0 as closed from truth.run where closed_at is not null", _RUN),
    "truth.run_landing": Instead(
        f"select count(*) > 0 or {_RUNS_PURGED} as taken_in from truth.run_landing", _RUN
    ),
    "truth.run_transaction": Instead("select count(*) > 0 as noted from truth.run_transaction", _RUN),
    "share.release": Instead(
        "select feed, max(last_sequence) as last, sum(last_sequence - first_sequence + 1) as lines "
        "from share.release group by feed",
        "an interrupted publication is another release: compared is that all lines were released once",
    ),
    "truth.run_balance": Instead(
        f"""
        select subject, source, kind, (array_agg(closing order by run_id desc))[1] as closing,
            sum(unexplained) as unexplained,
            case when not {_RUNS_PURGED} then array[sum(added), sum(removed), sum(changed)] end as changes
        from truth.run_balance group by subject, source, kind
        """,
        "the changes of an interrupted run are closed by the next: compared is the sum of all runs, until a "
        "purge leaves only the last, which has other changes where a command that was run again closed two",
    ),
    "audit.checkpoint": Instead(
        "select count(*) >= 0 as signed from audit.checkpoint",
        "how many lines one checkpoint signs is chance; `oncehub audit verify` checks that all are signed",
    ),
    "audit.leaf": Instead(
        "select count(*) >= 0 as salted from audit.leaf",
        "salts are random, and how many lines are signed is chance",
    ),
    "audit.subtree": Instead(
        "select count(*) >= 0 as hashed from audit.subtree",
        "hashes are over salted lines; `oncehub audit verify` compares them",
    ),
    "audit.purge": Instead(
        """
        select kind, sum(removed) as removed
        from audit.purge where kind not in ('used_assertions', 'finished_runs') group by kind
        """,
        "an interrupted purge has other batches: compared is what was purged but for tables that differ",
    ),
    "audit.purge_signature": Instead(
        "select count(*) >= 0 as signed from audit.purge_signature",
        "one a batch, as above; `oncehub retention verify` checks that they fit the proofs",
    ),
    "share.assertion": Instead(
        "select count(*) >= 0 as used from share.assertion", "a client that was cut off fetches another token"
    ),
    "connect.rate_limit": Instead(
        "select count(*) >= 0 as known from connect.rate_limit", "unlogged: empty after a crash of the server"
    ),
}
