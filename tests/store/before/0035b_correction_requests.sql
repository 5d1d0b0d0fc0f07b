-- A citizen says that a value is wrong: a case, which clerks uphold or reject. The hub makes no truth of its own:
-- an upheld request is told to the source that holds the value, and waits until it is stated otherwise.
alter table truth.case_file
    drop constraint if exists case_file_closed_because_check,
    add constraint case_file_closed_because_check check (closed_because in ('settled', 'decided', 'corrected')),
    add column upheld_by bigint,
    add constraint case_is_requested check (
        kind <> 'correction_request' or closed_at is not null
        or person_key is not null and evidence ?& array['attribute', 'claimed', 'why']
    );
comment on column truth.case_file.closed_because is
    'settled: what was stated since leaves nothing to decide; decided: a clerk''s decision has taken effect; corrected: what a citizen has said is believed now';
comment on column truth.case_file.upheld_by is
    'of a correction request, the decision that has upheld it; it stays open until the value is stated otherwise';

-- About one record several requests may be open, each about another attribute; of every other kind one.
drop index truth.case_open;
create unique index case_open on truth.case_file (kind, source, stream, source_key)
    where closed_at is null and kind <> 'correction_request';
create unique index case_requested on truth.case_file (person_key, (evidence ->> 'attribute'))
    where closed_at is null and kind = 'correction_request';
create index case_requester on truth.case_file (person_key, opened_at) where kind = 'correction_request';
create index case_upheld on truth.case_file (source) where kind = 'correction_request' and upheld_by is not null;

alter table truth.decision
    drop constraint decision_verdict_check,
    add constraint decision_verdict_check check (verdict in ('same', 'different', 'other', 'uphold', 'reject'));
comment on column truth.decision.verdict is
    'same: the record speaks of the person named in the case; different: of none of those named; other: of somebody else; of a correction request uphold or reject';
comment on column truth.decision.reason is 'kept for good; that of rejecting a correction request is told to the citizen';

create or replace function truth.weigh_decision() returns trigger
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
            when 'corrected' then 'what the citizen has said is believed now'
            else 'nothing is left to decide, as what is stated has changed'
        end;
    end if;
    if last.decision_id is distinct from new.follows then
        raise exception 'case % has been decided on since: look at decision %, then confirm or replace it by naming it',
            new.case_id, last.decision_id;
    end if;
    if (asked.kind = 'correction_request') <> (new.verdict in ('uphold', 'reject')) then
        raise exception 'case % is %: that is not how it is decided', new.case_id, case asked.kind
            when 'correction_request' then 'a correction request, upheld or rejected'
            else 'about whom a record speaks of'
        end;
    end if;
    if asked.upheld_by is not null and new.verdict = 'uphold' then
        raise exception 'case % was upheld already, and waits for its source to state the value', new.case_id;
    end if;
    if (new.verdict in ('same', 'other')) <> (new.person_key is not null) then
        raise exception 'with same or other a person must be named, with % none', new.verdict;
    end if;
    named := truth.named_in_case(asked.evidence, asked.person_key);
    if new.verdict in ('same', 'other') and (new.verdict = 'same') <> (truth.survivor(new.person_key) = any(named)) then
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

create or replace function truth.obey_decision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if new.verdict = 'uphold' then
        update truth.case_file c set upheld_by = new.decision_id where c.case_id = new.case_id;
        return null;
    end if;
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
    where c.case_id = new.case_id and new.verdict <> 'reject';
    update truth.case_file c
    set closed_at = now(), closed_because = 'decided'
    where c.case_id = new.case_id;
    return null;
end
$$;

-- Of a request that was closed long ago the evidence is purged, and with it what the citizen said.
create or replace function truth.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language sql stable security definer set search_path = ''
begin atomic
    select
        c.source_key,
        case
            when c.kind <> 'correction_request' then (
                select to_jsonb(r) from record.person r
                where (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key)
                    and r.deleted_at is null
            )
            when c.evidence ? 'attribute' then jsonb_build_object(
                c.evidence ->> 'attribute', c.evidence -> 'claimed', 'stated_at', c.opened_at
            )
        end,
        c.evidence,
        truth.named_in_case(c.evidence, c.person_key)
    from truth.case_file c
    where c.case_id = asked_case;
end;

create or replace view truth.case_state as
select
    c.case_id, c.kind, c.source, c.stream, c.opened_at, c.closed_at, c.closed_because,
    coalesce(r.four_eyes, false) as four_eyes, d.decision_id, c.upheld_by
from truth.case_file c
left join truth.case_rule r using (kind)
left join lateral (
    select decision_id from truth.decision d where d.case_id = c.case_id order by decision_id desc limit 1
) d on true;

-- What the API may do about a person's requests, and no more: state one, and see how theirs stand.
create function truth.request_correction(
    asked_person uuid, asked_attribute text, asked_value jsonb, asked_why text, asked_document text,
    asked_open bigint, asked_recent bigint, asked_within interval
) returns table (case_id bigint, outcome text)
    language plpgsql security definer set search_path = '' as $$
declare
    own uuid[] := truth.own_keys(asked_person);
    before truth.case_file;
    believed jsonb;
    origin jsonb;
begin
    -- Of requests of one person at once, one waits for the other, and then sees it.
    perform pg_advisory_xact_lock(hashtextextended('correction request ' || asked_person, 0));
    select * into before from truth.case_file c
    where c.kind = 'correction_request' and c.closed_at is null
        and c.person_key = any(own) and c.evidence ->> 'attribute' = asked_attribute;
    if before.case_id is not null then
        return query select before.case_id,
            case when before.evidence -> 'claimed' = asked_value then 'same' else 'another' end;
        return;
    end if;
    select to_jsonb(p) -> asked_attribute, coalesce(p.provenance -> asked_attribute, p.provenance -> '*')
    into believed, origin
    from truth.person p
    where p.person_key = asked_person;
    if coalesce(believed, 'null') = asked_value then
        return query select null::bigint, 'believed';
        return;
    end if;
    if asked_open <= (
        select count(*) from truth.case_file c
        where c.kind = 'correction_request' and c.closed_at is null and c.person_key = any(own)
    ) or asked_recent <= (
        select count(*) from truth.case_file c
        where c.kind = 'correction_request' and c.person_key = any(own) and c.opened_at > now() - asked_within
    ) then
        return query select null::bigint, 'too many';
        return;
    end if;
    -- Where nothing is believed nobody has said it; the register's own record of the person is asked about.
    return query
    insert into truth.case_file (kind, person_key, source, stream, source_key, evidence)
    values (
        'correction_request', asked_person, origin ->> 'source', origin ->> 'stream', origin ->> 'source_key',
        jsonb_build_object(
            'attribute', asked_attribute, 'claimed', asked_value, 'why', asked_why, 'document', asked_document,
            'believed', believed, 'as_of', origin -> 'as_of'
        )
    )
    returning case_file.case_id, 'opened';
end
$$;
comment on function truth.request_correction is
    'keeps what a citizen says is wrong; outcome: opened, same or another (one about the attribute is open already), believed (nothing differs), too many';
revoke execute on function truth.request_correction from public;
grant execute on function truth.request_correction to oncehub_api;

create function truth.requests_of(asked_person uuid) returns table (
    case_id bigint, attribute text, claimed jsonb, received_at timestamptz, due_on date, state text,
    decided_at timestamptz, reason text
)
    language sql stable security definer set search_path = ''
begin atomic
    select
        c.case_id, c.evidence ->> 'attribute', c.evidence -> 'claimed', c.opened_at, s.due_on,
        case
            when c.closed_because = 'corrected' then 'corrected'
            when c.closed_because = 'decided' then 'rejected'
            when c.upheld_by is not null then 'upheld'
            else 'received'
        end,
        coalesce(c.closed_at, u.decided_at),
        case when c.closed_because = 'decided' then (
            select d.reason from truth.decision d
            where d.case_id = c.case_id and d.takes_effect
            order by d.decision_id desc
            limit 1
        ) end
    from truth.case_file c
    left join truth.decision u on u.decision_id = c.upheld_by
    left join share.request_state s on s.case_id = c.case_id
    -- Of a case that was purged nothing is told but that it was.
    where c.kind = 'correction_request' and c.evidence ? 'attribute'
        and c.person_key = any(truth.own_keys(asked_person))
    order by c.case_id desc;
end;
comment on function truth.requests_of is 'how the correction requests of one person stand, the latest first';
revoke execute on function truth.requests_of from public;
grant execute on function truth.requests_of to oncehub_api;

create function truth.disputed_by_owner(asked_person uuid) returns text[]
    language sql stable security definer set search_path = ''
    return array(
        select c.evidence ->> 'attribute'
        from truth.case_file c
        where c.kind = 'correction_request' and c.closed_at is null
            and c.person_key = any(truth.own_keys(asked_person))
        order by 1
    );
comment on function truth.disputed_by_owner is
    'attributes of which the person says that they are wrong, as long as that is not rejected or put right';
revoke execute on function truth.disputed_by_owner from public;
grant execute on function truth.disputed_by_owner to oncehub_api;

-- An upheld request is told to its source in the sequence of its notices.
alter table share.notice
    alter column discrepancy_id drop not null,
    add column case_id bigint,
    add constraint notice_is_about_one check ((discrepancy_id is null) <> (case_id is null));
comment on column share.notice.case_id is 'the upheld correction request that it is about, where it is about no discrepancy';
create index notice_case on share.notice (case_id, sequence desc) where case_id is not null;

-- By when the citizen must be answered, share.request keeps; what becomes of the case is what becomes of it.
create index request_case on share.request (case_id) where case_id is not null;

create function share.follow_case() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    insert into share.request_step (request_id, step, reason, noted_by)
    select
        r.request_id,
        case new.closed_because when 'decided' then 'refused' when 'corrected' then 'done' else 'answered' end,
        case when new.closed_because = 'decided' then d.reason end,
        case when new.closed_because = 'corrected' then 'oncehub' else d.decided_by end
    from share.request_state r
    left join lateral (
        select d.reason, d.decided_by from truth.decision d
        where d.case_id = new.case_id and d.takes_effect
        order by d.decision_id desc
        limit 1
    ) d on true
    where r.case_id = new.case_id and r.closed_at is null
    on conflict do nothing;
    return null;
end
$$;
create trigger case_is_followed after update of upheld_by, closed_at on truth.case_file
    for each row when (
        new.kind = 'correction_request'
        and (old.upheld_by, old.closed_at) is distinct from (new.upheld_by, new.closed_at)
    ) execute function share.follow_case();
