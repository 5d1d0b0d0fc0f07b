create or replace function truth.survivor(person_key uuid) returns uuid
    language sql stable parallel safe
    return coalesce(
        (select j.survivor from truth.joined j where j.person_key = survivor.person_key), survivor.person_key
    );
comment on function truth.survivor is
    'whom a key leads to: the person themselves, or whom a clerk has joined them to';

create or replace function truth.own_keys(asked_person uuid) returns uuid[]
    language sql stable security definer set search_path = ''
    return array[asked_person] || array(
        select j.person_key from truth.joined j where j.survivor = asked_person order by j.person_key
    );
comment on function truth.own_keys is
    'the keys of a person: their own, and of whom clerks have found to be one with them';
revoke execute on function truth.own_keys from public;

create or replace function truth.weigh_joining() returns trigger
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

create or replace trigger joining_is_weighed before insert on truth.joining
    for each row execute function truth.weigh_joining();

-- Links that the decision ends go with it. The next run decides the records of both anew, and settles both.
create or replace function truth.obey_joining() returns trigger
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
        where d.person_key in (new.person_key, new.survivor)
            and d.kind = 'wrong_person' and d.closed_at is null
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

create or replace trigger joining_is_obeyed after insert on truth.joining
    for each row execute function truth.obey_joining();
