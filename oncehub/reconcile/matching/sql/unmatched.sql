-- The records to match: those that no identifier links. A number that leads to a person whom the record does
-- not describe is refused for good, not matched; a record with an override needs no model.
insert into unmatched
select entry, source, stream, source_key
from stating s
where not exists (
    select from verdict v
    where v.entry = s.entry and not v.ruled
)
and not exists (
    select from ruled w
    where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key) and w.verdict = 'same'
);
analyze unmatched;
