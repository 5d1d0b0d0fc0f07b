create or replace function truth.survivor(person_key uuid) returns uuid
    language sql stable parallel safe
    return coalesce(
        (select j.survivor from truth.merged_person j where j.person_key = survivor.person_key),
        survivor.person_key
    );
comment on function truth.survivor is
    'the person that a key leads to: the person of that key, or the person into whom they are merged';

create or replace function truth.own_keys(asked_person uuid) returns uuid[]
    language sql stable security definer set search_path = ''
    return array[asked_person] || array(
        select j.person_key from truth.merged_person j where j.survivor = asked_person order by j.person_key
    );
comment on function truth.own_keys is
    'the keys of a person: their own, and those of people merged into them';
revoke execute on function truth.own_keys from public;

create or replace function truth.check_merge_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    -- Two simultaneous decisions: the second waits, and then sees the first.
    lock table truth.merged_person in exclusive mode;
    if new.verdict = 'two' then
        select j.survivor into new.survivor
        from truth.merged_person j
        where (j.person_key, j.merged_into) = (new.person_key, new.merged_into);
        if new.survivor is null then
            raise exception 'the two are not merged: there is nothing to undo';
        end if;
        return new;
    end if;
    if exists (select from truth.merged_person j where j.person_key in (new.person_key, new.merged_into)) then
        raise exception
            'one of them is merged into somebody else already: merge the person to whom that key leads';
    end if;
    if 2 <> (
        select count(distinct k.person_key) from truth.link k
        where k.person_key in (new.person_key, new.merged_into) and k.method = 'register'
    ) then
        raise exception 'the register does not have both of them';
    end if;
    new.survivor := new.merged_into;
    return new;
end
$$;

create or replace trigger merge_decision_checked before insert on truth.merge_decision
    for each row execute function truth.check_merge_decision();

-- Deletes the links that the decision ends. The next run links the records of both anew, and settles both.
create or replace function truth.apply_merge_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    concerned uuid[];
begin
    with recursive below as (
        select new.person_key as person_key
        union
        select j.person_key from below b join truth.merged_person j on j.merged_into = b.person_key
    )
    select array_agg(person_key) into concerned from below;

    perform truth.mark_dirty(t.source, t.stream, t.source_key)
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
        from truth.link_override r
        where r.person_key = any(concerned) or r.person_key = new.survivor
        union
        select m.source, m.stream, m.source_key
        from truth.match_candidate m
        where m.person_key in (new.person_key, new.survivor)
    ) t;

    if new.verdict = 'one' then
        delete from truth.link k where k.person_key = new.person_key;
        insert into truth.merged_person (person_key, merged_into, survivor, merge_decision_id)
        values (new.person_key, new.merged_into, new.survivor, new.merge_decision_id);
        update truth.merged_person j set survivor = new.survivor where j.survivor = new.person_key;
    else
        delete from truth.link k
        where k.person_key = new.survivor and k.method in ('register', 'merged')
            and truth.person_key(k.source, k.stream, k.source_key) = any(concerned);
        delete from truth.merged_person j where j.person_key = new.person_key;
        update truth.merged_person j set survivor = new.person_key
        where j.person_key = any(concerned);
    end if;
    delete from truth.link k
    using truth.active_link_override r
    where (r.source, r.stream, r.source_key) = (k.source, k.stream, k.source_key)
        and k.person_key = new.survivor
        and (r.verdict = 'same') <> (r.person_key = k.person_key);
    insert into truth.pending (person_key)
    values (new.person_key), (new.survivor)
    on conflict (person_key) do update set person_key = excluded.person_key;
    return null;
end
$$;

create or replace trigger merge_decision_applied after insert on truth.merge_decision
    for each row execute function truth.apply_merge_decision();
