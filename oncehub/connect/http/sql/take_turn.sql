-- Takes a free slot for a concurrent request and a token of the bucket in one round trip.
-- Times are the database's, read once the row is locked, so the clocks of machines need not agree.
with slot as materialized (
    select number
    from unnest(%(free)s::int[]) as number
    where pg_try_advisory_lock(hashtextextended(%(lock)s || number, 0))
    limit 1
), token as (
    insert into connect.rate_limit as known (source, next_at)
    select %(source)s, clock_timestamp() + make_interval(secs => %(interval)s) from slot
    on conflict (source) do update
    set next_at = greatest(clock_timestamp(), known.suspended_until, known.next_at)
        + make_interval(secs => %(interval)s)
    returning suspended_until, next_at - make_interval(secs => %(burst)s * %(interval)s) as free_at
)
select
    number,
    greatest(clock_timestamp(), suspended_until, free_at),
    extract(epoch from greatest(suspended_until, free_at) - clock_timestamp())::float8,
    coalesce(extract(epoch from suspended_until - clock_timestamp()), 0)::float8
from slot, token
