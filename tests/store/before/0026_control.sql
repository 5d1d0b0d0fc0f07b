-- A control report: what stood before, came and went adds up to what stands, source by source and run by run.
create table truth.control_entry (
    entry_id    bigint generated always as identity primary key,
    subject     text not null check (subject in ('discrepancy', 'record')),
    source      text not null,
    kind        text not null,
    added       bigint not null default 0,
    removed     bigint not null default 0,
    turned      bigint not null default 0,
    unexplained bigint not null default 0,
    written_in  xid8 not null default pg_current_xact_id()
);
comment on table truth.control_entry is
    'what each transaction changed, until a run is signed off: only ever appended to, so that nobody waits for anybody';

create table truth.run (
    run_id    bigint generated always as identity primary key,
    signed_at timestamptz not null default now()
);
comment on table truth.run is
    'runs of reconcile that were signed off; one covers all that was committed since the one before, a run cut short included';

create table truth.control (
    run_id      bigint not null references truth.run,
    subject     text not null,
    source      text not null,
    kind        text not null,
    before      bigint not null,
    added       bigint not null,
    removed     bigint not null,
    turned      bigint not null,
    standing    bigint not null,
    unexplained bigint not null,
    primary key (run_id, subject, source, kind)
);
comment on column truth.control.subject is
    'discrepancy: the open ones, by kind; record: those that speak of a person, by the method of their link, or unlinked';
comment on column truth.control.turned is
    'those that came from another kind of the same source less those that went to one: of a source, zero in all';
comment on column truth.control.unexplained is
    'by how many a transaction''s own people had more, or fewer, discrepancies open than it found: zero, or something is wrong';

create view truth.standing as
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
create function truth.book_discrepancies() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into truth.control_entry (subject, source, kind, added)
        select 'discrepancy', source, kind, count(*) from written where closed_at is null group by source, kind;
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
create trigger discrepancy_booked_when_written after insert on truth.discrepancy
    referencing new table as written for each statement execute function truth.book_discrepancies();
create trigger discrepancy_booked_when_changed after update on truth.discrepancy
    referencing old table as gone new table as written
    for each statement execute function truth.book_discrepancies();
create trigger discrepancy_booked_when_deleted after delete on truth.discrepancy
    referencing old table as gone for each statement execute function truth.book_discrepancies();

create function truth.book_links() returns trigger
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
create trigger link_booked_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.book_links();
create trigger link_booked_when_changed after update on truth.link
    referencing old table as gone new table as written for each statement execute function truth.book_links();
create trigger link_booked_when_deleted after delete on truth.link
    referencing old table as gone for each statement execute function truth.book_links();

create function truth.book_unlinked() returns trigger
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
create trigger unlinked_booked_when_written after insert on truth.unlinked
    referencing new table as written for each statement execute function truth.book_unlinked();
create trigger unlinked_booked_when_deleted after delete on truth.unlinked
    referencing old table as gone for each statement execute function truth.book_unlinked();

insert into truth.control_entry (subject, source, kind, added)
select 'discrepancy', source, kind, count(*) from truth.discrepancy where closed_at is null group by source, kind
union all
select 'record', source, method, count(*) from truth.link group by source, method
union all
select 'record', source, 'unlinked', count(*) from truth.unlinked group by source;
