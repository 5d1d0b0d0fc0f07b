-- The records that describe the touched people.
create temporary table linked on commit drop as
select person_key, k.source, k.stream, k.source_key, k.method
from touched_person join truth.link k using (person_key)
where k.person_key between %(first)s::uuid and %(last)s::uuid;
analyze linked;
