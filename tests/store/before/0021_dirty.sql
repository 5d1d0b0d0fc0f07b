-- Marks are only ever appended: a batch that marks looks nothing up, and waits for nobody.
alter table intake.dirty drop constraint dirty_pkey, drop column mark;
drop sequence intake.mark;
comment on table intake.dirty is
    'person records that changed since they were last reconciled, once for every time; a run takes the rows that it sees';

-- Every run empties it: its pages are given back soon after, or the next run would read them for nothing. How many rows
-- it had when it was last counted says nothing.
alter table intake.dirty set (
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 2147483647
);

create or replace function truth.obey_ruling() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key)
        and (new.verdict = 'same') <> (k.person_key = new.person_key);
    insert into truth.pending (person_key)
    select new.linked_to where new.linked_to is not null
    on conflict do nothing;
    insert into intake.dirty (source, stream, source_key)
    select new.source, new.stream, new.source_key
    where exists (
        select from record.person r
        where (r.source, r.stream, r.source_key) = (new.source, new.stream, new.source_key)
    );
    return null;
end
$$;
