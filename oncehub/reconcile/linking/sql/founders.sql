-- Every live record of the register founds a person; when it is deleted, so is the person. A person who is
-- merged into another is founded by none: their records are the survivor's, and both are processed together.
create temporary table founder on commit drop as
select
    d.source, d.stream, d.source_key, d.own_key,
    coalesce(j.survivor, d.own_key) as person_key,
    r.source is not null as registered,
    'register' as method
from (
    select source, stream, source_key, truth.person_key(source, stream, source_key) as own_key
    from dirty_record
    where source = %(register)s
) d
left join truth.merged_person j on j.person_key = d.own_key
left join record.person r
    on r.source = %(register)s and r.deleted_at is null
    and (r.source, r.stream, r.source_key) = (d.source, d.stream, d.source_key);
analyze founder;

create temporary table several on commit drop as
select distinct f.person_key from founder f join truth.merged_person j on j.survivor = f.person_key;
analyze several;

insert into founder
select
    k.source, k.stream, k.source_key, truth.person_key(k.source, k.stream, k.source_key),
    k.person_key, true, 'register'
from several s join truth.link k using (person_key)
where k.method in ('register', 'merged') and not exists (
    select from founder f
    where (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
);

-- The survivor's own record founds the person; if it is deleted, the first of the records merged into it
-- does.
update founder f
set method = 'merged'
from several s
where f.person_key = s.person_key and exists (
    select from founder o
    where o.person_key = f.person_key and o.registered
        and (o.own_key <> o.person_key, o.stream, o.source_key)
            < (f.own_key <> f.person_key, f.stream, f.source_key)
);

delete from truth.link k
using founder f
where (k.source, k.stream, k.source_key) = (f.source, f.stream, f.source_key) and not f.registered;

update truth.link k
set method = f.method, linked_at = now()
from several s join founder f using (person_key)
where (k.source, k.stream, k.source_key) = (f.source, f.stream, f.source_key) and k.method <> f.method;

insert into truth.link (source, stream, source_key, person_key, method)
select source, stream, source_key, person_key, method
from founder f
where registered and not exists (
    select from truth.link k
    where (k.source, k.stream, k.source_key) = (f.source, f.stream, f.source_key)
)
order by source, stream, source_key;
