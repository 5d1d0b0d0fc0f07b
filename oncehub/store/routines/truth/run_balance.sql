create or replace view truth.run_balance_current as
select subject, source, kind, sum(closing)::bigint as closing
from (
    select subject, source, kind, closing
    from truth.run_balance
    where run_id = (select max(run_id) from truth.run where closed_at is not null)
    union all
    select subject, source, kind, added - removed + changed from truth.run_balance_entry
) kept
group by subject, source, kind;
comment on view truth.run_balance_current is
    'the counts at this moment, from the last run balance and the entries since, without counting the tables';

create or replace function truth.open_run(by_dag_run text) returns bigint
    language plpgsql security definer set search_path = '' as $$
declare
    open_run truth.run;
begin
    loop
        select * into open_run from truth.run where closed_at is null;
        exit when open_run.run_id is not null;
        insert into truth.run (started_by) values (by_dag_run) on conflict do nothing
        returning * into open_run;
        if open_run.run_id is not null then
            -- People who are still to be settled wait since the run before, and so do its landings.
            insert into truth.run_landing (run_id, landing, changed)
            select open_run.run_id, landing, changed from truth.run_landing
            where run_id = (select max(run_id) from truth.run where closed_at is not null)
                and exists (select from truth.pending);
        end if;
    end loop;
    if by_dag_run is distinct from open_run.started_by and by_dag_run is not null then
        update truth.run set started_by = by_dag_run where run_id = open_run.run_id;
    end if;
    return open_run.run_id;
end
$$;
comment on function truth.open_run is
    'the run that goes on; begun unless there is one, which a run that was interrupted has left';
revoke execute on function truth.open_run from public;

create or replace function truth.close_run() returns void
    language plpgsql security definer set search_path = '' as $$
declare
    before bigint;
    closing_run bigint;
begin
    -- One transaction at a time, so that the opening counts are the closing counts of the run before.
    lock table truth.run in share row exclusive mode;
    before := (select max(run_id) from truth.run where closed_at is not null);
    closing_run := truth.open_run(null);
    update truth.run set closed_at = now() where run_id = closing_run;

    with booked as (
        delete from truth.run_balance_entry
        returning subject, source, kind, added, removed, changed, unexplained
    ),
    change as (
        select
            subject, source, kind, sum(added) as added, sum(removed) as removed, sum(changed) as changed,
            sum(unexplained) as unexplained
        from booked
        group by subject, source, kind
    ),
    line as (
        select
            subject, source, kind, coalesce(l.closing, 0) as opening, coalesce(c.added, 0) as added,
            coalesce(c.removed, 0) as removed, coalesce(c.changed, 0) as changed,
            coalesce(c.unexplained, 0) as unexplained
        from (
            select subject, source, kind, closing
            from truth.run_balance
            where run_id = before
        ) l
        full join change c using (subject, source, kind)
    )
    insert into truth.run_balance
        (run_id, subject, source, kind, opening, added, removed, changed, closing, unexplained)
    select
        closing_run, subject, source, kind, opening, added, removed, changed,
        opening + added - removed + changed, unexplained
    from line
    where (opening, added, removed, changed, unexplained) <> (0, 0, 0, 0, 0);
end
$$;
comment on function truth.close_run is 'sums the entries since the last closed run into a run balance';
revoke execute on function truth.close_run from public;

create or replace view truth.run_balance_mismatch as
with counted as (
    select 'discrepancy' as subject, source, kind, count(*) as counted
    from truth.discrepancy
    where closed_at is null
    group by source, kind
    union all
    select 'record', source, method, count(*) from truth.link group by source, method
    union all
    select 'record', source, 'unlinked', count(*) from truth.unlinked group by source
),
decided as (
    select source, stream, source_key from truth.link
    union all
    select source, stream, source_key from truth.unlinked
),
misplaced as (
    select
        source,
        case
            when live and times = 0 then 'undecided'
            when live and times > 1 then 'decided_twice'
            when not live and times > 0 then 'decided_though_gone'
        end as kind
    from (
        select source, stream, source_key, bool_or(live) as live, count(*) filter (where not live) as times
        from (
            select source, stream, source_key, true as live from record.person where deleted_at is null
            union all
            select source, stream, source_key, false from decided
        ) both_sides
        group by source, stream, source_key
    ) weighed
    where not exists (
        select from intake.dirty w
        where (w.source, w.stream, w.source_key) = (weighed.source, weighed.stream, weighed.source_key)
    )
)
select subject, source, kind, coalesce(closing, 0) as booked, coalesce(counted, 0) as counted
from truth.run_balance_current full join counted using (subject, source, kind)
where coalesce(closing, 0) <> coalesce(counted, 0)
union all
select 'record', source, kind, 0, count(*) from misplaced where kind is not null group by source, kind;
comment on view truth.run_balance_mismatch is
    'counts the tables; shows where they differ from the run balance, and records that are linked or unlinked more or less than once';

-- Every change of these tables, by a run or a clerk, is entered into the run balance.
create or replace function truth.count_discrepancies() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.run_balance_entry (subject, source, kind, added)
        select 'discrepancy', source, kind, count(*)
        from written where closed_at is null group by source, kind;
    elsif tg_op = 'DELETE' then
        insert into truth.run_balance_entry (subject, source, kind, removed)
        select 'discrepancy', source, kind, count(*) from gone where closed_at is null group by source, kind;
    else
        insert into truth.run_balance_entry (subject, source, kind, added, removed, changed)
        select 'discrepancy', source, kind, sum(added), sum(removed), sum(changed)
        from (
            select
                o.source, o.kind as old_kind, n.kind as new_kind,
                o.closed_at is null as was_open, n.closed_at is null as is_open
            from gone o join written n using (discrepancy_id)
        ) c
        cross join lateral (
            values
                (old_kind, 0, (was_open and not is_open)::int, -(was_open and is_open)::int),
                (new_kind, (is_open and not was_open)::int, 0, (was_open and is_open)::int)
        ) side (kind, added, removed, changed)
        group by source, kind
        having (sum(added), sum(removed), sum(changed)) <> (0, 0, 0);
    end if;
    return null;
end
$$;

create or replace trigger discrepancy_counted_when_written after insert on truth.discrepancy
    referencing new table as written for each statement execute function truth.count_discrepancies();

create or replace trigger discrepancy_counted_when_changed after update on truth.discrepancy
    referencing old table as gone new table as written
    for each statement execute function truth.count_discrepancies();

create or replace trigger discrepancy_counted_when_deleted after delete on truth.discrepancy
    referencing old table as gone for each statement execute function truth.count_discrepancies();

create or replace function truth.count_links() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.run_balance_entry (subject, source, kind, added)
        select 'record', source, method, count(*) from written group by source, method;
    elsif tg_op = 'DELETE' then
        insert into truth.run_balance_entry (subject, source, kind, removed)
        select 'record', source, method, count(*) from gone group by source, method;
    else
        insert into truth.run_balance_entry (subject, source, kind, changed)
        select 'record', source, method, sum(changed)
        from (
            select source, method, -1 as changed from gone
            union all
            select source, method, 1 from written
        ) side
        group by source, method
        having sum(changed) <> 0;
    end if;
    return null;
end
$$;

create or replace trigger link_counted_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.count_links();

create or replace trigger link_counted_when_changed after update on truth.link
    referencing old table as gone new table as written
    for each statement execute function truth.count_links();

create or replace trigger link_counted_when_deleted after delete on truth.link
    referencing old table as gone for each statement execute function truth.count_links();

create or replace function truth.count_unlinked() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.run_balance_entry (subject, source, kind, added)
        select 'record', source, 'unlinked', count(*) from written group by source;
    else
        insert into truth.run_balance_entry (subject, source, kind, removed)
        select 'record', source, 'unlinked', count(*) from gone group by source;
    end if;
    return null;
end
$$;

create or replace trigger unlinked_counted_when_written after insert on truth.unlinked
    referencing new table as written for each statement execute function truth.count_unlinked();

create or replace trigger unlinked_counted_when_deleted after delete on truth.unlinked
    referencing old table as gone for each statement execute function truth.count_unlinked();
