-- The identifiers that a lending source states of its records' people. Of the claimants' records, only those
-- linked by a number of the register or by an override count.
insert into claim
select distinct
    {scheme}, text.identifying({scheme}, {attribute}), bearer.person_key, null::date, null::date, true
from (
    select source, stream, source_key, person_key
    from verdict
    where source = {lender} and not somebody_else
    union all
    select k.source, k.stream, k.source_key, k.person_key
    from claimant c join truth.link k using (person_key)
    where k.source = {lender} and k.method = any({methods}) and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
    )
) bearer
join record.person r using (source, stream, source_key)
where r.source = {lender} and r.deleted_at is null
    and {attribute} is not null and text.identifying({scheme}, {attribute}) is not null;
