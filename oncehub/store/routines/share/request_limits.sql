-- Takes up to "wanted" requests from several token buckets at once, as many as the emptiest allows. It is
-- called alone in its transaction: rows stay locked for as long as this takes, whatever the caller does.
create or replace function share.take_requests(
    asked_buckets text[], per_second double precision[], most_at_once double precision[], per_day bigint[],
    wanted bigint, unused bigint
) returns table (granted bigint, bucket text, by_day boolean, seconds double precision)
    language plpgsql volatile rows 1 security definer set search_path = '' as $$
declare
    moment timestamptz;
    today date;
begin
    -- A crash of the server loses the counts of its last second; nobody waits for the disk.
    perform set_config('synchronous_commit', 'off', true);
    insert into share.request_limit (bucket, level, at, day, used)
    select asked.bucket, 0, '-infinity', '-infinity', 0 from unnest(asked_buckets) asked (bucket)
    on conflict do nothing;
    -- All callers lock in the order in which they name buckets: an agreement's, then its client's.
    perform from share.request_limit as known where known.bucket = any(asked_buckets)
    order by array_position(asked_buckets, known.bucket) for update;
    moment := clock_timestamp();
    today := (moment at time zone 'Asia/Ho_Chi_Minh')::date;
    return query
    with bucket as (
        select
            asked.bucket, asked.rate, asked.limit_of_day,
            -- A clock that was set back adds nothing.
            case when known.at = '-infinity' then asked.most
                else least(asked.most, known.level
                    + asked.rate * greatest(0, extract(epoch from moment - known.at)))
            end as level,
            case when known.day <> today then 0
                when asked.limit_of_day is null then known.used
                else greatest(0, known.used - unused)
            end as used
        from unnest(asked_buckets, per_second, most_at_once, per_day) asked (bucket, rate, most, limit_of_day)
        join share.request_limit as known on known.bucket = asked.bucket
    ),
    allowed as (
        select
            b.bucket,
            -- What is nearly one is one: the time to wait was rounded.
            floor(b.level + 0.000001) as at_once,
            -- Towards the end of the day processes take one at a time, so that none keeps what others need.
            case when b.limit_of_day is null then wanted
                when b.limit_of_day <= b.used then 0
                else greatest(1, (b.limit_of_day - b.used) / 100)
            end as today_left
        from bucket b
    ),
    taken as (
        select greatest(0, least(wanted, min(least(a.at_once, a.today_left))))::bigint as number from allowed a
    ),
    kept as (
        update share.request_limit as known
        set level = greatest(0, b.level - t.number), at = moment, day = today,
            used = b.used + case when b.limit_of_day is null then 0 else t.number end
        from bucket b, taken t
        where known.bucket = b.bucket
    )
    select t.number, b.bucket, a.today_left = 0,
        case when t.number > 0 then 0
            when a.today_left = 0
                then extract(epoch from ((today + 1)::timestamp at time zone 'Asia/Ho_Chi_Minh') - moment)
            when a.at_once < 1 then (1 - b.level) / b.rate
            else 0
        end::double precision as waiting
    from taken t, bucket b join allowed a on a.bucket = b.bucket
    order by waiting desc
    limit 1;
end
$$;
comment on function share.take_requests is
    'per_day null: does not count for the day; unused: of what the caller took before; returns what was granted, or which bucket refused, whether for the day, and the seconds until it grants again';
revoke execute on function share.take_requests from public;
grant execute on function share.take_requests to oncehub_api;
