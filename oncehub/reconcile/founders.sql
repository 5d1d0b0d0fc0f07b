-- Every live record of the register founds a person; one that is gone takes its person along.
create temporary table founder on commit drop as
select
    d.source, d.stream, d.source_key,
    truth.person_key(d.source, d.stream, d.source_key) as person_key,
    r.source is not null as registered
from dirty_record d
left join record.person r
    on r.source = %(register)s and r.deleted_at is null
    and (r.source, r.stream, r.source_key) = (d.source, d.stream, d.source_key)
where d.source = %(register)s;
analyze founder;

delete from truth.link k
using founder f
where (k.source, k.stream, k.source_key) = (f.source, f.stream, f.source_key) and not f.registered;

insert into truth.link (source, stream, source_key, person_key, method)
select source, stream, source_key, person_key, 'register'
from founder f
where registered and not exists (
    select from truth.link k
    where (k.source, k.stream, k.source_key) = (f.source, f.stream, f.source_key)
)
order by source, stream, source_key;
