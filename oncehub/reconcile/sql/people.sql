-- The people that this transaction settles, and the discrepancies that it finds. They are taken off the queue
-- in the same transaction: another one that settles the same people waits here, and then finds them done.
create temporary table touched_person (person_key uuid) on commit drop;

with taken as (
    delete from truth.pending
    where person_key >= %(first)s::uuid and person_key <= %(last)s::uuid
    returning person_key
)
insert into touched_person select person_key from taken;
analyze touched_person;

create temporary table found (
    person_key uuid, attribute text, source text, stream text, source_key text, kind text,
    source_value jsonb, golden_value jsonb, stated_at timestamptz, as_of timestamptz
) on commit drop;
