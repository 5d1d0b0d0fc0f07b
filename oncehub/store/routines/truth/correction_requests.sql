-- The only rights of the API to correction requests: to open one for a person, and to read that person's
-- requests.
create or replace function truth.request_correction(
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
    -- Two simultaneous requests of one person: the second waits, and then sees the first.
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
    -- Without a golden value, the request is about the register's record of the person.
    return query
    insert into truth.case_file (kind, person_key, source, stream, source_key, evidence)
    values (
        'correction_request', asked_person, origin ->> 'source', origin ->> 'stream', origin ->> 'source_key',
        jsonb_build_object(
            'attribute', asked_attribute, 'claimed', asked_value, 'why', asked_why,
            'document', asked_document,
            'believed', believed, 'as_of', origin -> 'as_of'
        )
    )
    returning case_file.case_id, 'opened';
end
$$;
comment on function truth.request_correction is
    'opens a case for a value that a citizen says is wrong; outcome: opened; same or another (a request about the attribute is open already, with this value or another); believed (it is the golden value); too many';
revoke execute on function truth.request_correction from public;

create or replace function truth.requests_of(asked_person uuid) returns table (
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
            when c.approved_by is not null then 'approved'
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
    left join truth.decision u on u.decision_id = c.approved_by
    left join share.request_state s on s.case_id = c.case_id
    -- Requests whose evidence was purged are left out.
    where c.kind = 'correction_request' and c.evidence ? 'attribute'
        and c.person_key = any(truth.own_keys(asked_person))
    order by c.case_id desc;
end;
comment on function truth.requests_of is
    'the correction requests of one person with their states, the latest first';
revoke execute on function truth.requests_of from public;

create or replace function truth.disputed_by_owner(asked_person uuid) returns text[]
    language sql stable security definer set search_path = ''
    return array(
        select c.evidence ->> 'attribute'
        from truth.case_file c
        where c.kind = 'correction_request' and c.closed_at is null
            and c.person_key = any(truth.own_keys(asked_person))
        order by c.evidence ->> 'attribute'
    );
comment on function truth.disputed_by_owner is
    'attributes with an open correction request of the person';
revoke execute on function truth.disputed_by_owner from public;
