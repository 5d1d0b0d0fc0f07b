-- One row a figure: name, labels, value. Ages are in seconds, moments in seconds since 1970.
with live_run as (
    select
        source,
        stream,
        run_id,
        state,
        started_at,
        finished_at,
        accepted,
        unchanged,
        quarantined,
        deleted,
        max(finished_at) filter (where state = 'succeeded') over every_run as succeeded_at,
        row_number() over (every_run order by run_id desc) as latest
    from intake.run
    where reader = 'live'
    window every_run as (partition by source, stream)
),

failing as (
    select source, stream, min(coalesce(finished_at, started_at)) as failed_at
    from live_run
    where state = 'failed' and (succeeded_at is null or finished_at > succeeded_at)
    group by source, stream
),

-- A run that a kill left open is taken up by the next one.
stuck as (
    select run.source, run.stream, run.reader, max(coalesce(checkpoint.saved_at, run.started_at)) as moved_at
    from intake.run
    left join intake.checkpoint using (source, stream, run_id, reader)
    where run.state = 'running'
    group by run.source, run.stream, run.reader
),

reconciled as (
    select coalesce(max(closed_at), '-infinity') as closed_at from truth.run
),

unreconciled as (
    select min(run.started_at) as since
    from intake.run, reconciled
    where
        run.accepted + run.deleted > 0
        and coalesce(run.finished_at, now()) > reconciled.closed_at
        and exists (select from intake.dirty)
),

consumer as (
    select
        feed,
        client_id,
        max(sequence) filter (where kind = 'acknowledged') as acknowledged
    from share.consumer_offset
    join share.client using (client_id)
    where revoked_at is null
    group by feed, client_id
)

select 'stream_success_timestamp_seconds', jsonb_build_object('source', source, 'stream', stream),
    extract(epoch from max(succeeded_at))::float8
from live_run
where succeeded_at is not null
group by source, stream

union all
select 'stream_failing_seconds', jsonb_build_object('source', source, 'stream', stream),
    extract(epoch from now() - failed_at)::float8
from failing

union all
select 'run_silent_seconds', jsonb_build_object('source', source, 'stream', stream, 'reader', reader),
    extract(epoch from now() - moved_at)::float8
from stuck

union all
select 'run_records', jsonb_build_object('source', source, 'stream', stream, 'outcome', count.outcome),
    count.records::float8
from live_run
cross join lateral (
    values
    ('accepted', accepted), ('unchanged', unchanged), ('quarantined', quarantined), ('deleted', deleted)
) as count (outcome, records)
where latest = 1

union all
select 'quarantined_records', jsonb_build_object('source', source, 'stream', stream), count(*)::float8
from intake.rejected
where resolved_at is null
group by source, stream

union all
select 'reconcile_waiting_records', '{}'::jsonb, count(*)::float8 from intake.dirty

union all
select 'reconcile_waiting_seconds', '{}'::jsonb, coalesce(extract(epoch from now() - since), 0)::float8
from unreconciled

union all
select 'reconcile_success_timestamp_seconds', '{}'::jsonb, extract(epoch from closed_at)::float8
from reconciled
where closed_at > '-infinity'

union all
select 'open_discrepancies', jsonb_build_object('source', source, 'kind', kind), closing::float8
from truth.run_balance
where
    subject = 'discrepancy'
    and run_id = (select max(run_id) from truth.run where closed_at is not null)

union all
select 'open_cases', jsonb_build_object('kind', kind), count(*)::float8
from truth.case_file
where closed_at is null
group by kind

union all
select 'oldest_case_seconds', jsonb_build_object('kind', kind),
    extract(epoch from now() - min(opened_at))::float8
from truth.case_file
where closed_at is null
group by kind

union all
select 'publish_waiting_seconds', jsonb_build_object('feed', feed.feed),
    coalesce(extract(epoch from now() - waiting.occurred_at), 0)::float8
from share.feed
left join lateral (
    select change.occurred_at
    from share.change
    where (change.transaction, change.change_id) > (feed.transaction, feed.change_id)
    order by change.transaction, change.change_id
    limit 1
) as waiting on true

union all
select 'consumer_unacknowledged_entries',
    jsonb_build_object('feed', consumer.feed, 'client', consumer.client_id),
    (feed.last_sequence - coalesce(consumer.acknowledged, 0))::float8
from consumer
join share.feed using (feed)

union all
select 'consumer_behind_seconds', jsonb_build_object('feed', consumer.feed, 'client', consumer.client_id),
    coalesce(extract(epoch from now() - entry.published_at), 0)::float8
from consumer
join share.feed using (feed)
left join share.feed_entry as entry
    on consumer.feed = entry.feed and entry.sequence = coalesce(consumer.acknowledged, 0) + 1

union all
select 'database_bytes', '{}'::jsonb, pg_database_size(current_database())::float8

union all
select 'hub_made_timestamp_seconds', '{}'::jsonb, extract(epoch from min(applied_at))::float8
from public.oncehub_migration

union all
select 'now_timestamp_seconds', '{}'::jsonb, extract(epoch from now())::float8
