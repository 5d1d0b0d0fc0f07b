-- Keeps the previous version of golden records of which a value, or the record that it rests on, has changed.
insert into truth.person_version (person_key, believed_from, believed_until, believed, provenance)
select
    o.person_key, o.believed_from, greatest(now(), o.believed_from + interval '1 microsecond'),
    jsonb_strip_nulls(
        to_jsonb(o) - array['person_key', 'provenance', 'believed_from']
    ),
    o.provenance
from golden_change s join truth.person o using (person_key)
where s.kind <> 'created' and (s.attributes <> '{{}}' or s.resourced)
    and o.person_key between %(first)s::uuid and %(last)s::uuid;

insert into truth.person (person_key, {attributes}, provenance, believed_from)
select person_key, {new}, n.provenance, now()
from golden n join golden_change s using (person_key)
where s.kind = 'created'
order by person_key;

-- A statement that is only repeated at a later time makes no new version.
update truth.person o
set {assignments},
    provenance = n.provenance,
    believed_from = case
        when s.attributes <> '{{}}' or s.resourced
        then greatest(now(), o.believed_from + interval '1 microsecond') else o.believed_from
    end
from golden n join golden_change s using (person_key)
where o.person_key = n.person_key and s.kind = 'changed'
    and o.person_key between %(first)s::uuid and %(last)s::uuid;

delete from truth.person o
using golden_change s
where o.person_key = s.person_key and s.kind = 'removed';

-- The outbox of everything that leaves the hub is written with the change itself.
insert into share.change (person_key, kind, attributes)
select person_key, kind, attributes
from golden_change
where attributes <> '{{}}'
order by person_key;
