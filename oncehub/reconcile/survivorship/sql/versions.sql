-- What was believed until now, of people of whom something else is believed or on another record's word.
insert into truth.person_version (person_key, believed_from, believed_until, believed, provenance)
select
    o.person_key, o.believed_from, greatest(now(), o.believed_from + interval '1 microsecond'),
    jsonb_strip_nulls(
        to_jsonb(o) - array['person_key', 'name_key', 'provenance', 'believed_from']
    ),
    o.provenance
from shift s join truth.person o using (person_key)
where s.kind <> 'created' and (s.attributes <> '{}' or s.resourced)
    and o.person_key between %(first)s::uuid and %(last)s::uuid;
