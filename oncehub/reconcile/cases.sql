-- A case that a clerk has decided is never touched by the machine.
update truth.case_file c
set closed_at = now()
from affected a
where (c.source, c.stream, c.source_key) = (a.source, a.stream, a.source_key)
    and c.kind = 'wrong_person' and c.closed_at is null
    and not exists (select from truth.decision d where d.case_id = c.case_id)
    and not exists (
        select from verdict v
        where (v.source, v.stream, v.source_key) = (a.source, a.stream, a.source_key)
            and v.somebody_else and not v.ruled
    );

insert into truth.case_file (kind, person_key, source, stream, source_key, evidence)
select
    'wrong_person', person_key, source, stream, source_key,
    jsonb_build_object('method', method, 'name', 'differs',
        'birth_date', case when birth_date_stated then 'differs' else 'not stated' end)
from verdict
where somebody_else and not ruled
on conflict (kind, source, stream, source_key) where closed_at is null do update
set person_key = excluded.person_key, evidence = excluded.evidence
where (case_file.person_key, case_file.evidence) is distinct from (excluded.person_key, excluded.evidence)
    and not exists (select from truth.decision d where d.case_id = case_file.case_id);
