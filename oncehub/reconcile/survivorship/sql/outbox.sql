-- Tell of every change of a believed value in the transaction that makes it.
insert into share.change (person_key, kind, attributes)
select person_key, kind, attributes
from shift
where attributes <> '{}'
order by person_key;
