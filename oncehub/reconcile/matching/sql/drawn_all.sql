-- After a large change it costs less to match all records anew than to find those that it affects.
truncate truth.oversized_block;
insert into drawn
select source, stream, source_key
from truth.blocked_record m
where not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (m.source, m.stream, m.source_key)
);
