-- The same for all records at once: tables that are written whole are indexed afterwards.
truncate truth.blocked_record, truth.blocking_key;
drop index truth.blocking_key_key;

with kept as (
    insert into truth.blocked_record (source, stream, source_key, keys)
    select j.source, j.stream, j.source_key, k.keys
    from {kept} k join unmatched j using (id)
    where cardinality(k.keys) > 0
    order by k.id
    returning entry, keys
)
insert into truth.blocking_key (key, entry) select unnest(keys), entry from kept;

create index blocking_key_key on truth.blocking_key (key, entry);
analyze truth.blocked_record, truth.blocking_key;
