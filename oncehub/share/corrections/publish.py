"""Correction notices: each source is told, in a sequence of its own, where its records are not believed.

A notice holds the source's own statement and, within its agreement, the believed value and whose word that
is; of attributes that the agreement lists apart, only that they differ. Nothing in it names the person
otherwise than the source's own record does, and a notice that the record speaks of somebody else tells
nothing of them.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.population import covered
from oncehub.share.corrections.approved import tell_upheld
from oncehub.share.delivery.sequence import PATIENCE_SECONDS, PublishReport, publish_in_order
from oncehub.store.connection import Connection

PREFIX = "corrections."

# Where the agreement has gained an attribute or its value, all of the source's discrepancies are looked at
# once more.
_PREPARE = """
insert into share.correction_feed as feed (source, attributes, withheld)
values (%(source)s, %(attributes)s, %(withheld)s)
on conflict (source) do update
set attributes = excluded.attributes,
    withheld = excluded.withheld,
    published_below = case
        when feed.attributes @> excluded.attributes and excluded.withheld @> feed.withheld
        then feed.published_below
        else '0'
    end
where (feed.attributes, feed.withheld) is distinct from (excluded.attributes, excluded.withheld)
"""

# One statement, hence one snapshot, as in feeds: of transactions still open when it began nothing is told.
# What a source knows of a discrepancy is what its last line said; a statement that was only repeated is not
# told again, nor is a discrepancy that came and went between two publishings. The person a record was not
# linked to is somebody else, so that of a refused link only the record's own word is told. Which of two
# records a source should keep is nobody's word.
# How long one took to close is kept with the line that closes it, counted too from when its first line had
# been given out: the earliest step to its number or beyond. Steps and lines are walked together for it, from
# the end, for a join would compare each with each.
_PUBLISH = """
with fresh as materialized (
    select d.*, 'person.' || d.attribute as qualified, {inside} as inside
    from truth.discrepancy d join share.correction_feed f using (source)
    where d.source = %(source)s
        and (d.changed_in >= f.published_below {or_moved})
        and d.changed_in < pg_snapshot_xmin(pg_current_snapshot())
        and 'person.' || d.attribute = any(%(attributes)s)
),
state as (
    select f.discrepancy_id, f.changed_in, f.qualified, f.opened_at, e.closed_at,
        case
            when f.closed_at is null and not f.inside then 'outside_agreement' else f.closed_because
        end as closed_because,
        jsonb_build_object(
            'kind', f.kind,
            'record', jsonb_build_object('stream', f.stream, 'key', f.source_key),
            'attribute', f.qualified,
            'source_value', f.source_value,
            'stated_at', f.stated_at,
            'golden_value', w.believed,
            'asserted_by', w.asserted_by,
            'opened_at', f.opened_at,
            'closed_at', e.closed_at
        ) as line
    from fresh f
    left join truth.person p using (person_key)
    cross join lateral (
        select coalesce(f.closed_at, case when not f.inside then now() end) as closed_at
    ) e
    cross join lateral (
        select
            case when tellable then f.golden_value end as believed,
            case when tellable and f.golden_value is not null and f.kind <> 'duplicate'
            then jsonb_build_object(
                'source', truth.origin(p.provenance, f.attribute) -> 'source', 'as_of', f.as_of
            ) end as asserted_by
        from (
            select f.inside and f.kind <> 'wrong_person' and f.qualified <> all(%(withheld)s) as tellable
        ) t
    ) w
),
told as (
    select s.*, t.notice, t.line as old, coalesce(t.change <> 'closed', false) as open
    from state s left join lateral (
        select n.notice, n.change, n.line
        from share.notice n
        where n.source = %(source)s and n.discrepancy_id = s.discrepancy_id
        order by n.sequence desc
        limit 1
    ) t on true
),
line as (
    select *, row_number() over (order by changed_in, discrepancy_id) as number
    from told
    where case
        when closed_at is not null or not open then open or closed_at is null
        else (old - '{{stated_at,asserted_by}}'::text[], old #> '{{asserted_by,source}}')
            is distinct from (line - '{{stated_at,asserted_by}}'::text[], line #> '{{asserted_by,source}}')
    end
),
timed as (
    select *,
        min(at) filter (where kind = 'fetched') over reached as fetched_at,
        min(at) filter (where kind = 'acknowledged') over reached as acknowledged_at
    from (
        select number, notice, discrepancy_id, qualified, open, opened_at, closed_at, closed_because, line,
            null as kind, null::timestamptz as at
        from line
        union all
        select null, r.sequence, null, null, null, null, null, null, null, r.kind, r.at
        from share.receipt r
        where r.feed = %(feed)s
            and r.sequence >= (select min(notice) from line where closed_at is not null)
    ) step
    window reached as (order by notice desc)
),
published as (
    insert into share.notice (source, sequence, notice, discrepancy_id, change, attribute, person_key, line)
    select f.source, f.last_sequence + t.number, coalesce(t.notice, f.last_sequence + t.number),
        t.discrepancy_id,
        case when t.closed_at is not null then 'closed' when t.open then 'changed' else 'opened' end,
        t.qualified,
        (
            select d.person_key from truth.discrepancy d
            where d.discrepancy_id = t.discrepancy_id and t.line ->> 'kind' <> 'wrong_person'
        ),
        t.line || case when t.closed_at is null then '{{}}' else jsonb_build_object(
            'closed_because', t.closed_because,
            'resolution_times', jsonb_build_object(
                'since_opened', extract(epoch from t.closed_at - t.opened_at)::bigint,
                'since_fetched', case when t.fetched_at <= t.closed_at
                    then extract(epoch from t.closed_at - t.fetched_at)::bigint
                end,
                'since_acknowledged', case when t.acknowledged_at <= t.closed_at
                    then extract(epoch from t.closed_at - t.acknowledged_at)::bigint
                end
            )
        ) end
    from timed t cross join share.correction_feed f
    where f.source = %(source)s and t.number is not null
    order by t.number
)
update share.correction_feed set
    published_below = pg_snapshot_xmin(pg_current_snapshot()),
    last_sequence = last_sequence + (select count(*) from line),
    published_at = now()
where source = %(source)s
"""

# Of whoever leaves the agreement's population nothing is open to it any more; of whoever joins it, all is.
_INSIDE = "exists (select from truth.person where person.person_key = d.person_key and {covered})"

_OR_MOVED = """or d.closed_at is null and exists (
    select from share.change c
    where c.person_key = d.person_key
        and c.transaction >= f.published_below
        and c.transaction < pg_snapshot_xmin(pg_current_snapshot())
)"""

_HELD_BACK = """
select count(*)
from truth.discrepancy d join share.correction_feed f using (source)
where d.source = %s and d.changed_in >= f.published_below and 'person.' || d.attribute = any(f.attributes)
"""


def publish_corrections(
    settings: Settings,
    source: str,
    database: Connection | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> PublishReport:
    """Bring a source's notices up to its open discrepancies; a kill loses nothing, a repeat adds none.

    Without an agreement in force they stay as they are, and go on from there when there is one.

    Args:
        settings: names the agreements.
        source: one that an agreement receives corrections of.
        database: used instead of a connection of its own.
        patience: seconds to wait for older transactions that hold changes back.

    Raises:
        ConfigError: when no agreement receives this source's corrections.
        RunBusy: when another process publishes them.
        StoreUnavailable: when the database does not answer, or changes are still held back; a retry cures it.
        StoreError: when the database cannot be used.
    """
    agreement = corrections_agreement(settings, source)
    return publish_in_order(
        settings,
        feed_name(source),
        lambda connection: extend_corrections(connection, agreement, source),
        lambda connection: _held_back(connection, agreement, source),
        database=database,
        patience=patience,
    )


def extend_corrections(connection: Connection, agreement: Agreement, source: str) -> tuple[int, int]:
    """Do what `publish_corrections` does over a given agreement; return lines added and last sequence."""
    withheld = agreement.corrections.without_value if agreement.corrections else ()
    values = {
        "source": source,
        "feed": feed_name(source),
        "attributes": sorted(agreement.noticed()),
        "withheld": sorted(withheld),
    }
    with connection, connection.cursor() as cursor:
        cursor.execute(_PREPARE, values)
        before = _last_sequence(connection, source)
    # Apart from the row above: a transaction that writes first would hold back its own horizon.
    if agreement.corrects(today()):
        with connection, connection.cursor() as cursor:
            cursor.execute(_publishing(agreement), values)
        tell_upheld(connection, values)
    with connection:
        last = _last_sequence(connection, source)
    return last - before, last


def _publishing(agreement: Agreement) -> sql.Composable:
    inside, moved = ("true", "") if not agreement.population else (_INSIDE, _OR_MOVED)
    return sql.SQL(_PUBLISH).format(
        inside=sql.SQL(inside).format(covered=covered(agreement)), or_moved=sql.SQL(moved)
    )


def feed_name(source: str) -> str:
    """Return what a source's notices are named as where feeds are named; a feed's own name has no dot."""
    return f"{PREFIX}{source}"


def corrections_agreement(settings: Settings, source: str) -> Agreement:
    """Return the agreement that receives a source's correction notices.

    Raises:
        ConfigError: when there is none.
    """
    receivers = corrected_sources(settings)
    if source not in receivers:
        raise ConfigError(
            f"no agreement has corrections of the source {source!r}; "
            f"there are: {', '.join(receivers) or 'none'}"
        )
    return receivers[source]


def corrected_sources(settings: Settings) -> dict[str, Agreement]:
    """Return the agreement of every source that receives correction notices, by source."""
    return {
        agreement.corrections.source: agreement
        for agreement in load_agreements(settings).values()
        if agreement.corrections
    }


def _held_back(connection: Connection, agreement: Agreement, source: str) -> int:
    if not agreement.corrects(today()):
        return 0
    with connection, connection.cursor() as cursor:
        cursor.execute(_HELD_BACK, (source,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _last_sequence(connection: Connection, source: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select last_sequence from share.correction_feed where source = %s", (source,))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return int(row[0]) if row else 0
