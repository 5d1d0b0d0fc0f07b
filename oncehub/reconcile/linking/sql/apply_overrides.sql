-- An override decides before every identifier. It links nobody while the register does not have the person.
insert into verdict (source, stream, source_key, person_key, method, somebody_else, stated_at, entry)
select s.source, s.stream, s.source_key, w.person_key, 'override', false, s.stated_at, s.entry
from stating s
join ruled w using (source, stream, source_key)
join truth.link k on k.person_key = w.person_key and k.method = 'register'
where w.verdict = 'same' and not exists (
    select from verdict v where v.entry = s.entry
);
