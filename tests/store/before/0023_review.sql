-- Cases: what a clerk must decide. Runs open and close them; one clerk decides, or where rules want it, two.
alter table truth.case_file
    add constraint case_kind check (
        kind in ('wrong_person', 'possible_match', 'contested_identifier', 'correction_request')
    ),
    add column closed_because text check (closed_because in ('settled', 'decided'));
update truth.case_file set closed_because = 'settled' where closed_at is not null;
alter table truth.case_file
    add constraint case_closed_because check ((closed_at is null) = (closed_because is null));
comment on column truth.case_file.kind is
    'wrong_person: a number leads to somebody who bears another name and birth date; possible_match: a model is not sure; contested_identifier: a number leads to several people; correction_request: a citizen says that a value is wrong';
comment on column truth.case_file.closed_because is
    'settled: what was stated since leaves nothing to decide; decided: a clerk''s decision has taken effect';
create index case_record on truth.case_file (source, stream, source_key) where closed_at is null;

create table truth.case_rule (
    kind      text primary key,
    four_eyes boolean not null
);
comment on table truth.case_rule is 'as mappings/rules/cases.yaml says, written by reconciling and by whoever decides';

alter table truth.decision
    drop constraint decision_verdict_check,
    add constraint decision_verdict_check check (verdict in ('same', 'different', 'other')),
    add constraint decision_is_told check (reason <> '' and decided_by <> '') not valid,
    add column person_key uuid,
    add column follows bigint references truth.decision,
    add column takes_effect boolean not null default true;
comment on column truth.decision.verdict is
    'same: the record speaks of the person named in the case; different: of none of those named; other: of somebody else';
comment on column truth.decision.person_key is 'of whom the record speaks; null with different';
comment on column truth.decision.follows is 'the decision of the same case that the clerk had before them';
comment on column truth.decision.takes_effect is 'false while another clerk must confirm it';
create index decision_case on truth.decision (case_id, decision_id);

create function truth.named_in_case(evidence jsonb, person_key uuid) returns uuid[]
    language sql stable
    return coalesce(
        (
            select array_agg(distinct truth.survivor((each ->> 'person_key')::uuid))
            from jsonb_array_elements(evidence -> 'candidates') each
        ),
        array_remove(array[truth.survivor(person_key)], null)
    );
comment on function truth.named_in_case is 'the people a case names, joined ones as their survivor';

create function truth.weigh_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    asked truth.case_file;
    last truth.decision;
    named uuid[];
begin
    -- In the order of a run, which holds the rulings before it touches cases: neither waits for the other in a circle.
    lock table truth.ruling in row exclusive mode;
    select * into asked from truth.case_file c where c.case_id = new.case_id for update;
    if asked.case_id is null then
        raise exception 'there is no case %', new.case_id;
    end if;
    select * into last from truth.decision d where d.case_id = new.case_id order by d.decision_id desc limit 1;
    if asked.closed_at is not null then
        raise exception 'case % is closed: %', new.case_id, case asked.closed_because
            when 'decided' then 'it was decided by ' || last.decided_by
            else 'nothing is left to decide, as what is stated has changed'
        end;
    end if;
    if last.decision_id is distinct from new.follows then
        raise exception 'case % has been decided on since: look at decision %, then confirm or replace it by naming it',
            new.case_id, last.decision_id;
    end if;
    if (new.verdict = 'different') <> (new.person_key is null) then
        raise exception 'with same or other a person must be named, with different none';
    end if;
    named := truth.named_in_case(asked.evidence, asked.person_key);
    if new.verdict <> 'different' and (new.verdict = 'same') <> (truth.survivor(new.person_key) = any(named)) then
        raise exception 'same is said of a person whom case % names, other of somebody else', new.case_id;
    end if;
    if new.person_key is not null and not exists (
        select from truth.link k
        where k.person_key = truth.survivor(new.person_key) and k.method = 'register'
    ) then
        raise exception 'the register has no person %', new.person_key;
    end if;
    new.takes_effect := not exists (select from truth.case_rule r where r.kind = asked.kind and r.four_eyes);
    if not new.takes_effect and last.verdict = new.verdict and last.person_key is not distinct from new.person_key then
        if lower(btrim(last.decided_by)) = lower(btrim(new.decided_by)) then
            raise exception 'decision % is your own: another clerk must confirm it', last.decision_id;
        end if;
        new.takes_effect := true;
    end if;
    return new;
end
$$;
create trigger decision_is_weighed before insert on truth.decision
    for each row execute function truth.weigh_decision();

create function truth.obey_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    insert into truth.ruling (source, stream, source_key, person_key, verdict, decision_id, reason, ruled_by)
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
    where c.case_id = new.case_id;
    update truth.case_file c
    set closed_at = now(), closed_because = 'decided'
    where c.case_id = new.case_id;
    return null;
end
$$;
create trigger decision_is_obeyed after insert on truth.decision
    for each row when (new.takes_effect) execute function truth.obey_decision();

create view truth.case_state as
select
    c.case_id, c.kind, c.source, c.stream, c.opened_at, c.closed_at, c.closed_because,
    coalesce(r.four_eyes, false) as four_eyes, d.decision_id
from truth.case_file c
left join truth.case_rule r using (kind)
left join lateral (
    select decision_id from truth.decision d where d.case_id = c.case_id order by decision_id desc limit 1
) d on true;
comment on view truth.case_state is 'cases without what they are about; decision_id: the last decision on it, which the next must follow';

create function truth.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language sql stable security definer set search_path = ''
begin atomic
    select
        c.source_key,
        (
            select to_jsonb(r) from record.person r
            where (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key) and r.deleted_at is null
        ),
        c.evidence,
        truth.named_in_case(c.evidence, c.person_key)
    from truth.case_file c
    where c.case_id = asked_case;
end;
comment on function truth.case_content is 'lets a record be seen by whoever may decide a case about it, and no other record';
revoke execute on function truth.case_content from public;
