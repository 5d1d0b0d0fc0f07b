create function {schema}.reusable_papers(
    asked_person uuid, results text[], components text[], component_procedures text[]
) returns table (
    dossier text, procedure_code text, component text, result text, file text, decided_at timestamptz
)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select paper.*
    from {schema}.person as person
    cross join lateral
        share.reusable_papers(person.person_key, results, components, component_procedures) as paper
    where person.person_key = asked_person;
end
$$;
comment on function {schema}.reusable_papers is 'earlier papers of somebody whom the agreement has';

revoke execute on function {schema}.reusable_papers from public;
grant execute on function {schema}.reusable_papers to {role};
