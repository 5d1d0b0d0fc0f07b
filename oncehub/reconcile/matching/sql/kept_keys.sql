-- What will draw the judged records in, in place of what did until now.
with gone as (
    delete from truth.match_record m
    using affected a
    where (m.source, m.stream, m.source_key) = (a.source, a.stream, a.source_key)
    returning m.entry, m.keys
)
delete from truth.match_key k
using (select entry, unnest(keys) as key from gone) g
where (k.key, k.entry) = (g.key, g.entry);

insert into truth.match_record (source, stream, source_key, keys)
select j.source, j.stream, j.source_key, k.keys
from {kept} k join judged j using (id)
where cardinality(k.keys) > 0
order by k.id;

insert into truth.match_key (key, entry)
select unnest(m.keys), m.entry
from judged j join truth.match_record m using (source, stream, source_key);
