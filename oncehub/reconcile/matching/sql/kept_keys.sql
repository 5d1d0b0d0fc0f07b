-- Replaces the blocking keys by which people who change will draw in the matched records.
with gone as (
    delete from truth.blocked_record m
    using affected a
    where (m.source, m.stream, m.source_key) = (a.source, a.stream, a.source_key)
    returning m.entry, m.keys
)
delete from truth.blocking_key k
using (select entry, unnest(keys) as key from gone) g
where (k.key, k.entry) = (g.key, g.entry);

insert into truth.blocked_record (source, stream, source_key, keys)
select j.source, j.stream, j.source_key, k.keys
from {kept} k join unmatched j using (id)
where cardinality(k.keys) > 0
order by k.id;

insert into truth.blocking_key (key, entry)
select unnest(m.keys), m.entry
from unmatched j join truth.blocked_record m using (source, stream, source_key);
