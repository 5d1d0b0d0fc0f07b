-- Enters into the run balance how far the discrepancies opened and closed in this transaction are from the
-- difference between those found and those open before.
insert into truth.run_balance_entry (subject, source, kind, unexplained)
select 'discrepancy', source, kind, abs(sum(number))
from (
    select source, kind, 1 as number from found
    union all
    select source, kind, -1 from open_before
    union all
    select source, kind, removed - added - changed
    from truth.run_balance_entry
    where subject = 'discrepancy' and written_in = (select hub.transaction_number())
) counted
group by source, kind
having sum(number) <> 0;
