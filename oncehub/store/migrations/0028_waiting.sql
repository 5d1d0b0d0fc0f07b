-- Who waits to be settled already is held until a clerk's word is there: settled meanwhile, they would be by the links
-- that it takes away, and then wait no more.
create or replace function truth.obey_ruling() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from truth.link k
    where (k.source, k.stream, k.source_key) = (new.source, new.stream, new.source_key)
        and (new.verdict = 'same') <> (k.person_key = truth.survivor(new.person_key));
    insert into truth.pending (person_key)
    select new.linked_to where new.linked_to is not null
    on conflict (person_key) do update set person_key = excluded.person_key;
    perform truth.mark(new.source, new.stream, new.source_key);
    return null;
end
$$;

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
