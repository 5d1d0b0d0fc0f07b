-- Who no identifier leads to anybody. A number that leads to somebody else's person is refused for good, not
-- matched; and whom a clerk has named needs no model.
insert into judged
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
analyze judged;
