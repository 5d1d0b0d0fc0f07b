-- How the golden records differ from the stored ones. A shard is a range of keys: nothing outside it is read.
-- resourced: an equal value rests on another record, or another rule; a younger statement alone does not
-- count.
create temporary table golden_change on commit drop as
select
    n.person_key,
    case when o.person_key is null then 'created' else 'changed' end as kind,
    array_remove(array[{differing}], null) as attributes,
    o.person_key is not null and exists (
        select from jsonb_each(n.provenance) e
        where e.value - 'as_of' is distinct from (o.provenance -> e.key) - 'as_of'
    ) as resourced
from golden n
left join truth.person o
    on o.person_key = n.person_key and o.person_key between %(first)s::uuid and %(last)s::uuid
where o.person_key is null or o.provenance <> n.provenance
    or ({old}) is distinct from ({new})
union all
select o.person_key, 'removed', array_remove(array[{stated}], null), false
from touched_person t join truth.person o using (person_key)
where o.person_key between %(first)s::uuid and %(last)s::uuid
    and not exists (select from golden n where n.person_key = t.person_key);
create unique index on golden_change (person_key);
analyze golden_change (person_key, kind);
