-- The same when all that a model judges have been judged anew: what is written whole is indexed afterwards.
truncate truth.match_record, truth.match_key;
drop index truth.match_key_key;

with kept as (
    insert into truth.match_record (source, stream, source_key, keys)
    select j.source, j.stream, j.source_key, k.keys
    from {kept} k join judged j using (id)
    where cardinality(k.keys) > 0
    order by k.id
    returning entry, keys
)
insert into truth.match_key (key, entry) select unnest(keys), entry from kept;

create index match_key_key on truth.match_key (key, entry);
analyze truth.match_record, truth.match_key;
