-- Two people of the register whom a clerk has found to be one: one survives, and the other's key leads there.
create table truth.joining (
    joining_id  bigint generated always as identity primary key,
    person_key  uuid not null,
    into_person uuid not null check (into_person <> person_key),
    verdict     text not null check (verdict in ('one', 'two')),
    reason      text not null check (reason <> ''),
    decided_by  text not null check (decided_by <> ''),
    decided_at  timestamptz not null default now(),
    survivor    uuid not null
);
comment on table truth.joining is
    'a clerk''s word that two people of the register are one, or two after all: insert only, the latest stands; see truth.joined';
comment on column truth.joining.survivor is 'whom their records are linked to while they are one';
create index joining_person on truth.joining (person_key, joining_id);
create index joining_survivor on truth.joining (survivor);
create trigger joining_insert_only before update or delete or truncate on truth.joining
    for each statement execute function truth.refuse_change();

create table truth.joined (
    person_key  uuid primary key,
    into_person uuid not null,
    survivor    uuid not null check (survivor <> person_key),
    joining_id  bigint not null references truth.joining
);
comment on table truth.joined is 'who is not a person of their own as truth.joining stands, and who survives; written by its trigger alone';
create index joined_into on truth.joined (into_person);
create index joined_survivor on truth.joined (survivor);

create function truth.survivor(person_key uuid) returns uuid
    language sql stable parallel safe
    return coalesce(
        (select j.survivor from truth.joined j where j.person_key = survivor.person_key), survivor.person_key
    );
comment on function truth.survivor is 'whom a key leads to: the person themselves, or whom a clerk has joined them to';

-- What was said of a person who was joined since holds of the survivor, and of the person again when they are apart.
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

create function truth.mark(source text, stream text, source_key text) returns void
    language sql security definer set search_path = ''
begin atomic
    insert into intake.dirty (source, stream, source_key)
    select r.source, r.stream, r.source_key
    from record.person r
    where (r.source, r.stream, r.source_key) = (mark.source, mark.stream, mark.source_key);
end;
comment on function truth.mark is 'have the next run decide a record anew, if it is there';
revoke execute on function truth.mark from public;

create or replace function truth.obey_ruling() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key)
        and (new.verdict = 'same') <> (k.person_key = truth.survivor(new.person_key));
    insert into truth.pending (person_key)
    select new.linked_to where new.linked_to is not null
    -- Who waits already is held until this is there: settled meanwhile, they would be by the links that it takes away.
    on conflict (person_key) do update set person_key = excluded.person_key;
    perform truth.mark(new.source, new.stream, new.source_key);
    return null;
end
$$;

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

create function truth.weigh_joining() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    -- Of clerks who join people at once, one waits for the other, and then sees what was joined.
    lock table truth.joined in exclusive mode;
    if new.verdict = 'two' then
        select j.survivor into new.survivor
        from truth.joined j
        where (j.person_key, j.into_person) = (new.person_key, new.into_person);
        if new.survivor is null then
            raise exception 'the two are not joined: there is nothing to take apart';
        end if;
        return new;
    end if;
    if exists (select from truth.joined j where j.person_key in (new.person_key, new.into_person)) then
        raise exception 'one of them was joined to somebody else already: join whom that key leads to';
    end if;
    if 2 <> (
        select count(distinct k.person_key) from truth.link k
        where k.person_key in (new.person_key, new.into_person) and k.method = 'register'
    ) then
        raise exception 'the register does not have both of them';
    end if;
    new.survivor := new.into_person;
    return new;
end
$$;
create trigger joining_is_weighed before insert on truth.joining
    for each row execute function truth.weigh_joining();

-- Links that the decision ends go with it. The next run decides the records of both anew, and settles both.
create function truth.obey_joining() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    concerned uuid[];
begin
    with recursive below as (
        select new.person_key as person_key
        union
        select j.person_key from below b join truth.joined j on j.into_person = b.person_key
    )
    select array_agg(person_key) into concerned from below;

    perform truth.mark(t.source, t.stream, t.source_key)
    from (
        select k.source, k.stream, k.source_key
        from truth.link k
        where k.person_key in (new.person_key, new.survivor)
        union
        select d.source, d.stream, d.source_key
        from truth.discrepancy d
        where d.person_key in (new.person_key, new.survivor) and d.kind = 'wrong_person' and d.closed_at is null
        union
        select r.source, r.stream, r.source_key
        from truth.ruling r
        where r.person_key = any(concerned) or r.person_key = new.survivor
        union
        select m.source, m.stream, m.source_key
        from truth.match_candidate m
        where m.person_key in (new.person_key, new.survivor)
    ) t;

    if new.verdict = 'one' then
        delete from truth.link k where k.person_key = new.person_key;
        insert into truth.joined (person_key, into_person, survivor, joining_id)
        values (new.person_key, new.into_person, new.survivor, new.joining_id);
        update truth.joined j set survivor = new.survivor where j.survivor = new.person_key;
    else
        delete from truth.link k
        where k.person_key = new.survivor and k.method in ('register', 'joined')
            and truth.person_key(k.source, k.stream, k.source_key) = any(concerned);
        delete from truth.joined j where j.person_key = new.person_key;
        update truth.joined j set survivor = new.person_key
        where j.person_key = any(concerned);
    end if;
    delete from truth.link k
    using truth.standing_ruling r
    where (r.source, r.stream, r.source_key) = (k.source, k.stream, k.source_key)
        and k.person_key = new.survivor
        and (r.verdict = 'same') <> (r.person_key = k.person_key);
    insert into truth.pending (person_key)
    values (new.person_key), (new.survivor)
    on conflict (person_key) do update set person_key = excluded.person_key;
    return null;
end
$$;
create trigger joining_is_obeyed after insert on truth.joining
    for each row execute function truth.obey_joining();
