select granted, bucket, by_day, seconds
from share.take_requests(
    %(buckets)s::text[], %(per_second)s::double precision[], %(at_once)s::double precision[],
    %(per_day)s::bigint[], %(wanted)s, %(unused)s
)
