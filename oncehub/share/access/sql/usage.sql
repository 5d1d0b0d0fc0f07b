create function {schema}.own_keys(asked_person uuid) returns uuid[]
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (
        select truth.own_keys(person.person_key) from {schema}.person as person
        where person.person_key = asked_person
    );
end
$$;
comment on function {schema}.own_keys is
    'the keys of somebody whom the agreement has, of those joined with them too';

-- The first key is whose lines they are. Whose pseudonyms those are only the hub's key tells, which is not
-- here.
create function {schema}.usage_of(
    asked_keys uuid[], asked_pseudonyms text[], asked_from timestamptz, asked_until timestamptz,
    asked_hiding text[], asked_hiding_since timestamptz[], asked_shown text[],
    asked_skip bigint, asked_limit bigint
) returns table (
    total bigint, logtime timestamptz, action text, agency text, client_id text, agreement text, purpose text,
    legal_basis text, procedure text, attributes text[], outcome text, involvement text
)
    language plpgsql stable security definer set search_path = '' as $$
begin
    if asked_keys <@ {schema}.own_keys(asked_keys[1]) then
        return query
        select usage.*
        from audit.usage_of(
            asked_keys, asked_pseudonyms, asked_from, asked_until, asked_hiding,
            asked_hiding_since, asked_shown,
            asked_skip, asked_limit
        ) as usage;
    end if;
end
$$;
comment on function {schema}.usage_of is 'who had the data of somebody whom the agreement has';

revoke execute on function {schema}.own_keys, {schema}.usage_of from public;
grant execute on function {schema}.own_keys, {schema}.usage_of to {role};
