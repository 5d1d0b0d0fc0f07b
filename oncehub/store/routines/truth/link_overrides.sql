-- What was said of a person who was joined since holds of the survivor, and of the person again when they are
-- apart.
create or replace view truth.standing_ruling as
select
    r.ruling_id, r.source, r.stream, r.source_key, truth.survivor(r.person_key) as person_key, r.verdict,
    r.decision_id, r.reason, r.ruled_by, r.ruled_at, r.linked_to, r.method
from truth.ruling r
where not exists (
    select from truth.ruling later
    where (later.source, later.stream, later.source_key) = (r.source, r.stream, r.source_key)
        and later.ruling_id > r.ruling_id
        and (
            (later.verdict, r.verdict) = ('same', 'same')
            or truth.survivor(later.person_key) = truth.survivor(r.person_key)
        )
);
comment on view truth.standing_ruling is
    'the latest word on each record and person; a record speaks of one person, so a later "same" also ends an earlier one';

-- A link that a new ruling contradicts goes with it, in the same transaction; the next run decides the
-- record.
create or replace function truth.remember_link() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    -- Who is joined to whom stays as it is until the ruling is obeyed.
    lock table truth.joined in row share mode;
    select k.person_key, k.method into new.linked_to, new.method
    from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key);
    if new.method in ('register', 'joined') then
        raise exception 'a record of the register founds its person: nobody rules that it is another''s';
    end if;
    return new;
end
$$;

create or replace trigger ruling_remembers_link before insert on truth.ruling
    for each row execute function truth.remember_link();

create or replace function truth.obey_ruling() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key)
        and (new.verdict = 'same') <> (k.person_key = truth.survivor(new.person_key));
    insert into truth.pending (person_key)
    select new.linked_to where new.linked_to is not null
    -- Who waits already is held until this is there: settled meanwhile, they would be by the links that it
    -- takes away.
    on conflict (person_key) do update set person_key = excluded.person_key;
    perform truth.mark(new.source, new.stream, new.source_key);
    return null;
end
$$;

create or replace trigger ruling_is_obeyed after insert on truth.ruling
    for each row execute function truth.obey_ruling();

create or replace function truth.refuse_contradiction() returns trigger
    language plpgsql as $$
begin
    if exists (
        select from written k join truth.standing_ruling r using (source, stream, source_key)
        where (r.verdict = 'same') <> (r.person_key = k.person_key)
    ) then
        raise exception 'a link contradicts what a clerk has ruled';
    end if;
    if exists (select from written join truth.joined using (person_key)) then
        raise exception 'a link leads to somebody whom a clerk has joined to another';
    end if;
    return null;
end
$$;

create or replace trigger link_obeys_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.refuse_contradiction();

create or replace trigger link_obeys_when_changed after update on truth.link
    referencing new table as written for each statement execute function truth.refuse_contradiction();
