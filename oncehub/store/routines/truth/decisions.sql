create or replace function truth.check_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    asked truth.case_file;
    last truth.decision;
    named uuid[];
begin
    -- A run locks the overrides before it writes cases; the same order here avoids deadlocks.
    lock table truth.link_override in row exclusive mode;
    select * into asked from truth.case_file c where c.case_id = new.case_id for update;
    if asked.case_id is null then
        raise exception 'there is no case %', new.case_id;
    end if;
    select * into last from truth.decision d
        where d.case_id = new.case_id order by d.decision_id desc limit 1;
    if asked.closed_at is not null then
        raise exception 'case % is closed: %', new.case_id, case asked.closed_because
            when 'decided' then 'it was decided by ' || last.decided_by
            when 'corrected' then 'the value that the citizen claimed is the golden value now'
            else 'nothing is left to decide, because the records have changed'
        end;
    end if;
    if last.decision_id is distinct from new.follows then
        raise exception
            'case % has been decided on since: look at decision %, then confirm or replace it by naming it',
            new.case_id, last.decision_id;
    end if;
    if (asked.kind = 'correction_request') <> (new.verdict in ('approve', 'reject')) then
        raise exception 'case % is %: that is not how it is decided', new.case_id, case asked.kind
            when 'correction_request' then 'a correction request, which is approved or rejected'
            else 'about the person that a record describes'
        end;
    end if;
    if asked.approved_by is not null and new.verdict = 'approve' then
        raise exception 'case % was approved already, and waits for its source to state the value', new.case_id;
    end if;
    if (new.verdict in ('same', 'other')) <> (new.person_key is not null) then
        raise exception 'with same or other a person must be named, with % none', new.verdict;
    end if;
    named := truth.named_in_case(asked.evidence, asked.person_key);
    if new.verdict in ('same', 'other')
        and (new.verdict = 'same') <> (truth.survivor(new.person_key) = any(named)) then
        raise exception
            'case %: same is for a person whom the case names, other for somebody else', new.case_id;
    end if;
    if new.person_key is not null and not exists (
        select from truth.link k
        where k.person_key = truth.survivor(new.person_key) and k.method = 'register'
    ) then
        raise exception 'the register has no person %', new.person_key;
    end if;
    new.takes_effect := not exists (select from truth.case_rule r where r.kind = asked.kind and r.four_eyes);
    if not new.takes_effect and last.verdict = new.verdict
        and last.person_key is not distinct from new.person_key then
        if lower(btrim(last.decided_by)) = lower(btrim(new.decided_by)) then
            raise exception 'decision % is your own: another clerk must confirm it', last.decision_id;
        end if;
        new.takes_effect := true;
    end if;
    return new;
end
$$;

create or replace trigger decision_checked before insert on truth.decision
    for each row execute function truth.check_decision();

create or replace function truth.apply_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if new.verdict = 'approve' then
        update truth.case_file c set approved_by = new.decision_id where c.case_id = new.case_id;
        return null;
    end if;
    insert into truth.link_override
        (source, stream, source_key, person_key, verdict, decision_id, reason, decided_by)
    select
        c.source, c.stream, c.source_key, p.person_key,
        case new.verdict when 'different' then 'different' else 'same' end,
        new.decision_id, new.reason, new.decided_by
    from truth.case_file c
    cross join unnest(
        case
            when new.person_key is null then truth.named_in_case(c.evidence, c.person_key)
            else array[new.person_key]
        end
    ) p (person_key)
    where c.case_id = new.case_id and new.verdict <> 'reject';
    update truth.case_file c
    set closed_at = now(), closed_because = 'decided'
    where c.case_id = new.case_id;
    return null;
end
$$;

create or replace trigger decision_applied after insert on truth.decision
    for each row when (new.takes_effect) execute function truth.apply_decision();
