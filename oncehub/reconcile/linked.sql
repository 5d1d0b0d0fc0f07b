-- The records that speak of the touched people.
create temporary table linked on commit drop as
select person_key, k.source, k.stream, k.source_key, k.method
from touched_person join truth.link k using (person_key);
analyze linked;
