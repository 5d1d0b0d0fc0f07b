-- An override about a person who was merged later applies to the survivor, and to the person again after
-- unmerging.
create or replace view truth.active_link_override as
select
    r.override_id, r.source, r.stream, r.source_key, truth.survivor(r.person_key) as person_key, r.verdict,
    r.decision_id, r.reason, r.decided_by, r.decided_at, r.linked_to, r.method
from truth.link_override r
where not exists (
    select from truth.link_override later
    where (later.source, later.stream, later.source_key) = (r.source, r.stream, r.source_key)
        and later.override_id > r.override_id
        and (
            (later.verdict, r.verdict) = ('same', 'same')
            or truth.survivor(later.person_key) = truth.survivor(r.person_key)
        )
);
comment on view truth.active_link_override is
    'the latest override of each record and person; a record describes one person, so that a later "same" also replaces an earlier one';

-- Refuses overrides of founding records, and keeps the link that the override replaces.
create or replace function truth.check_link_override() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    -- Merges wait until the override is applied.
    lock table truth.merged_person in row share mode;
    select k.person_key, k.method into new.linked_to, new.method
    from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key);
    if new.method in ('register', 'merged') then
        raise exception 'a record of the register founds its person: its link cannot be overridden';
    end if;
    return new;
end
$$;

create or replace trigger link_override_checked before insert on truth.link_override
    for each row execute function truth.check_link_override();

-- Deletes a link that a new override contradicts, in the same transaction; the next run links the record.
create or replace function truth.apply_link_override() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key)
        and (new.verdict = 'same') <> (k.person_key = truth.survivor(new.person_key));
    insert into truth.pending (person_key)
    select new.linked_to where new.linked_to is not null
    -- Locks a person who is pending already until the link is gone, so that they are not settled by it
    -- meanwhile.
    on conflict (person_key) do update set person_key = excluded.person_key;
    perform truth.mark_dirty(new.source, new.stream, new.source_key);
    return null;
end
$$;

create or replace trigger link_override_applied after insert on truth.link_override
    for each row execute function truth.apply_link_override();

create or replace function truth.refuse_overridden_link() returns trigger
    language plpgsql as $$
begin
    if exists (
        select from written k join truth.active_link_override r using (source, stream, source_key)
        where (r.verdict = 'same') <> (r.person_key = k.person_key)
    ) then
        raise exception 'a link contradicts a link override';
    end if;
    if exists (select from written join truth.merged_person using (person_key)) then
        raise exception 'a link leads to a person who is merged into another';
    end if;
    return null;
end
$$;

create or replace trigger link_checked_when_written after insert on truth.link
    referencing new table as written for each statement execute function truth.refuse_overridden_link();

create or replace trigger link_checked_when_changed after update on truth.link
    referencing new table as written for each statement execute function truth.refuse_overridden_link();
