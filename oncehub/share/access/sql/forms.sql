create function {schema}.agreeing_sources(asked_person uuid, asked_attributes text[])
    returns table (attribute text, sources bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select agreeing.*
    from {schema}.person as person
    cross join lateral share.agreeing_sources(
        person.person_key,
        array(
            select asked.name from unnest(asked_attributes) as asked (name)
            where 'person.' || asked.name = any({attributes}) and asked.name = any({readable})
        )
    ) as agreeing
    where person.person_key = asked_person;
end
$$;
comment on function {schema}.agreeing_sources is
    'how many sources state each golden value of a person that the agreement may see';

create function {schema}.disputed_by_owner(asked_person uuid) returns text[]
    language plpgsql stable security definer set search_path = '' as $$
begin
    return array(
        select disputed.name
        from {schema}.person as person
        cross join lateral unnest(truth.disputed_by_owner(person.person_key)) as disputed (name)
        where person.person_key = asked_person
            and 'person.' || disputed.name = any({attributes}) and disputed.name = any({readable})
        order by 1
    );
end
$$;
comment on function {schema}.disputed_by_owner is
    'of which of these attributes somebody whom the agreement has says that they are wrong';

revoke execute on function {schema}.agreeing_sources, {schema}.disputed_by_owner from public;
grant execute on function {schema}.agreeing_sources, {schema}.disputed_by_owner to {role};
