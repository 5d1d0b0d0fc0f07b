create function {schema}.request_correction(
    asked_person uuid, asked_attribute text, asked_value jsonb, asked_why text, asked_document text,
    asked_open bigint, asked_recent bigint, asked_within interval
) returns table (case_id bigint, outcome text)
    language plpgsql security definer set search_path = '' as $$
begin
    if 'person.' || asked_attribute = any({correctable}) then
        return query
        select requested.*
        from {schema}.person as person
        cross join lateral truth.request_correction(
            person.person_key, asked_attribute, asked_value, asked_why, asked_document,
            asked_open, asked_recent,
            asked_within
        ) as requested
        where person.person_key = asked_person;
    end if;
end
$$;
comment on function {schema}.request_correction is
    'keeps what somebody whom the agreement has says is wrong, of an attribute that it takes such requests for';

create function {schema}.requests_of(asked_person uuid) returns table (
    case_id bigint, attribute text, claimed jsonb, received_at timestamptz, due_on date, state text,
    decided_at timestamptz, reason text
)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select request.*
    from {schema}.person as person cross join lateral truth.requests_of(person.person_key) as request
    where person.person_key = asked_person;
end
$$;
comment on function {schema}.requests_of is
    'how all requests of somebody whom the agreement has stand, through whichever agreement they were made';

revoke execute on function {schema}.request_correction, {schema}.requests_of from public;
grant execute on function {schema}.request_correction, {schema}.requests_of to {role};
