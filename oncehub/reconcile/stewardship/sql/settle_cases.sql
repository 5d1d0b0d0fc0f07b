-- Questions to clerks about the records that were linked anew. An open case keeps its number and its age when
-- its evidence changes; a case that a clerk has decided is closed and does not change any more.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'wrong_person', person_key, source, stream, source_key,
    jsonb_build_object('method', method, 'name', 'differs',
        'birth_date', case when birth_date_stated then 'differs' else 'not stated' end)
from verdict
where somebody_else and not ruled;
analyze asked;

update truth.case_file c
set closed_at = now(), closed_because = 'settled'
from affected a
where (c.source, c.stream, c.source_key) = (a.source, a.stream, a.source_key)
    and c.kind <> 'correction_request' and c.closed_at is null
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key, q.kind) = (a.source, a.stream, a.source_key, c.kind)
    );

insert into truth.case_file (kind, person_key, source, stream, source_key, evidence)
select kind, person_key, source, stream, source_key, evidence
from asked
order by source, stream, source_key
on conflict (kind, source, stream, source_key) where closed_at is null and kind <> 'correction_request'
do update
set person_key = excluded.person_key, evidence = excluded.evidence
where (case_file.person_key, case_file.evidence) is distinct from (excluded.person_key, excluded.evidence);
