-- Takes a free slot for a concurrent request and a token of the bucket in one round trip.
-- Times are the database's, read once the row is locked, so the clocks of machines need not agree.
with slot as materialized (
    select number
    from unnest(%(free)s::int[]) as number
    where pg_try_advisory_lock(hashtextextended(%(lock)s || number, 0))
    limit 1
), token as (
    insert into connect.pace as pace (source, next_at)
    select %(source)s, clock_timestamp() + make_interval(secs => %(interval)s) from slot
    on conflict (source) do update
    set next_at = greatest(clock_timestamp(), pace.held_until, pace.next_at)
        + make_interval(secs => %(interval)s)
    returning held_until, next_at - make_interval(secs => %(burst)s * %(interval)s) as free_at
)
select
    number,
    greatest(clock_timestamp(), held_until, free_at),
    extract(epoch from greatest(held_until, free_at) - clock_timestamp())::float8,
    coalesce(extract(epoch from held_until - clock_timestamp()), 0)::float8
from slot, token
