select coalesce(min(
    asked.per_day - case
        when known.day = (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date then known.used
        else 0
    end
), 0)
from unnest(%(buckets)s::text[], %(per_day)s::bigint[]) asked (bucket, per_day)
left join share.request_limit known using (bucket)
