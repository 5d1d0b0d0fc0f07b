-- Records that bear somebody else's number: a disagreement with the number's owner, and a case for a clerk.
insert into found
select
    person_key, attribute, source, stream, source_key, 'wrong_person', to_jsonb(value), null, stated_at, null
from verdict
where somebody_else;
