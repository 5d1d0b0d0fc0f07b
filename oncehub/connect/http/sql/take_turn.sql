-- Takes a free slot for a concurrent request and a token of the bucket in one round trip.
-- Times are the database's, read once the row is locked, so the clocks of machines need not agree. A stored
-- time further ahead than any reader sets one shows that the clock was set back since, and counts as past.
with slot as materialized (
    select number
    from unnest(%(free)s::int[]) as number
    where pg_try_advisory_lock(hashtextextended(%(lock)s || number, 0))
    limit 1
), token as (
    insert into connect.rate_limit as known (source, next_at)
    select %(source)s, clock_timestamp() + make_interval(secs => %(interval)s) from slot
    on conflict (source) do update
    set
        suspended_until = case
            when known.suspended_until <= clock_timestamp() + make_interval(secs => %(longest_suspension)s)
                then known.suspended_until
        end,
        next_at = greatest(
            clock_timestamp(),
            case
                when known.suspended_until <= clock_timestamp() + make_interval(secs => %(longest_suspension)s)
                    then known.suspended_until
            end,
            case
                when known.next_at <= greatest(clock_timestamp(), known.suspended_until)
                    + make_interval(secs => %(longest_queue)s)
                    and known.next_at <= clock_timestamp()
                        + make_interval(secs => %(longest_queue)s + %(longest_suspension)s)
                    then known.next_at
            end
        ) + make_interval(secs => %(interval)s)
    returning suspended_until, next_at - make_interval(secs => %(burst)s * %(interval)s) as free_at
)
select
    number,
    greatest(clock_timestamp(), suspended_until, free_at),
    extract(epoch from greatest(suspended_until, free_at) - clock_timestamp())::float8,
    coalesce(extract(epoch from suspended_until - clock_timestamp()), 0)::float8
from slot, token
