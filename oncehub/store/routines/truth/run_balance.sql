create or replace view truth.standing as
select subject, source, kind, sum(standing)::bigint as standing
from (
    select subject, source, kind, standing
    from truth.control
    where run_id = (select max(run_id) from truth.run)
    union all
    select subject, source, kind, added - removed + turned from truth.control_entry
) kept
group by subject, source, kind;
comment on view truth.standing is 'what stands at this moment, without counting it';

-- Whoever changes the tables, a run or a clerk: the books follow.
create or replace function truth.book_discrepancies() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.control_entry (subject, source, kind, added)
        select 'discrepancy', source, kind, count(*)
        from written where closed_at is null group by source, kind;
    elsif tg_op = 'DELETE' then
        insert into truth.control_entry (subject, source, kind, removed)
        select 'discrepancy', source, kind, count(*) from gone where closed_at is null group by source, kind;
    else
        insert into truth.control_entry (subject, source, kind, added, removed, turned)
        select 'discrepancy', source, kind, sum(added), sum(removed), sum(turned)
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
        ) side (kind, added, removed, turned)
        group by source, kind
        having (sum(added), sum(removed), sum(turned)) <> (0, 0, 0);
    end if;
    return null;
end
$$;

create or replace trigger discrepancy_booked_when_written after insert on truth.discrepancy
    referencing new table as written for each statement execute function truth.book_discrepancies();

create or replace trigger discrepancy_booked_when_changed after update on truth.discrepancy
    referencing old table as gone new table as written
    for each statement execute function truth.book_discrepancies();

create or replace trigger discrepancy_booked_when_deleted after delete on truth.discrepancy
    referencing old table as gone for each statement execute function truth.book_discrepancies();

create or replace function truth.book_links() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.control_entry (subject, source, kind, added)
        select 'record', source, method, count(*) from written group by source, method;
    elsif tg_op = 'DELETE' then
        insert into truth.control_entry (subject, source, kind, removed)
        select 'record', source, method, count(*) from gone group by source, method;
    else
        insert into truth.control_entry (subject, source, kind, turned)
        select 'record', source, method, sum(turned)
        from (
            select source, method, -1 as turned from gone
            union all
            select source, method, 1 from written
        ) side
        group by source, method
        having sum(turned) <> 0;
    end if;
    return null;
end
$$;

create or replace trigger link_booked_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.book_links();

create or replace trigger link_booked_when_changed after update on truth.link
    referencing old table as gone new table as written for each statement execute function truth.book_links();

create or replace trigger link_booked_when_deleted after delete on truth.link
    referencing old table as gone for each statement execute function truth.book_links();

create or replace function truth.book_unlinked() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.control_entry (subject, source, kind, added)
        select 'record', source, 'unlinked', count(*) from written group by source;
    else
        insert into truth.control_entry (subject, source, kind, removed)
        select 'record', source, 'unlinked', count(*) from gone group by source;
    end if;
    return null;
end
$$;

create or replace trigger unlinked_booked_when_written after insert on truth.unlinked
    referencing new table as written for each statement execute function truth.book_unlinked();

create or replace trigger unlinked_booked_when_deleted after delete on truth.unlinked
    referencing old table as gone for each statement execute function truth.book_unlinked();
