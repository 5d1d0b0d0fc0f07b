-- What was open, opened and closed of this transaction's own people must be what it found of them.
insert into truth.control_entry (subject, source, kind, unexplained)
select 'discrepancy', source, kind, abs(sum(number))
from (
    select source, kind, 1 as number from found
    union all
    select source, kind, -1 from open_before
    union all
    select source, kind, removed - added - turned
    from truth.control_entry
    where subject = 'discrepancy' and written_in = pg_current_xact_id()
) counted
group by source, kind
having sum(number) <> 0;
