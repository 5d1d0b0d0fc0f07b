-- A clerk's word on whom a record speaks of stands above every machine's, for good.
create table truth.ruling (
    ruling_id   bigint generated always as identity primary key,
    source      text not null,
    stream      text not null,
    source_key  text not null,
    person_key  uuid not null,
    verdict     text not null check (verdict in ('same', 'different')),
    decision_id bigint references truth.decision,
    reason      text not null check (reason <> ''),
    ruled_by    text not null check (ruled_by <> ''),
    ruled_at    timestamptz not null default now(),
    linked_to   uuid,
    method      text
);
comment on table truth.ruling is
    'a clerk''s word that a record speaks of a person, or does not: insert only, a later one supersedes; see truth.standing_ruling';
comment on column truth.ruling.decision_id is 'the decision of a case that it follows from; null where a clerk ruled without one';
comment on column truth.ruling.linked_to is 'whom the record was linked to until then, and method by what';
create index ruling_record on truth.ruling (source, stream, source_key, person_key, ruling_id);
create index ruling_person on truth.ruling (person_key);

create view truth.standing_ruling as
select r.*
from truth.ruling r
where not exists (
    select from truth.ruling later
    where (later.source, later.stream, later.source_key) = (r.source, r.stream, r.source_key)
        and later.ruling_id > r.ruling_id
        and (later.person_key = r.person_key or (later.verdict, r.verdict) = ('same', 'same'))
);
comment on view truth.standing_ruling is
    'the latest word on each record and person; a record speaks of one person, so a later "same" also ends an earlier one';

create function truth.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'truth.% is insert only', tg_table_name;
end
$$;
create trigger ruling_insert_only before update or delete or truncate on truth.ruling
    for each statement execute function truth.refuse_change();
drop rule decision_never_changes on truth.decision;
drop rule decision_never_goes on truth.decision;
create trigger decision_insert_only before update or delete or truncate on truth.decision
    for each statement execute function truth.refuse_change();

-- A link that a new ruling contradicts goes with it, in the same transaction; the next run decides the record.
create function truth.remember_link() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    select k.person_key, k.method into new.linked_to, new.method
    from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key);
    if new.method = 'register' then
        raise exception 'a record of the register founds its person: nobody rules that it is another''s';
    end if;
    return new;
end
$$;
create trigger ruling_remembers_link before insert on truth.ruling
    for each row execute function truth.remember_link();

create function truth.obey_ruling() returns trigger
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
    )
    on conflict (source, stream, source_key) do update set mark = excluded.mark;
    return null;
end
$$;
create trigger ruling_is_obeyed after insert on truth.ruling
    for each row execute function truth.obey_ruling();

create function truth.refuse_contradiction() returns trigger
    language plpgsql as $$
begin
    if exists (
        select from written k join truth.standing_ruling r using (source, stream, source_key)
        where (r.verdict = 'same') <> (r.person_key = k.person_key)
    ) then
        raise exception 'a link contradicts what a clerk has ruled';
    end if;
    return null;
end
$$;
create trigger link_obeys_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.refuse_contradiction();
create trigger link_obeys_when_changed after update on truth.link
    referencing new table as written for each statement execute function truth.refuse_contradiction();
