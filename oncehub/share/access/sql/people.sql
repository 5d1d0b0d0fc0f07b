-- The people and attributes that one agreement may see. The agreement's role cannot read the view; it calls
-- the function.
create schema {schema};

create view {schema}.person as
select
    person.person_key, {columns},
    truth.origins(person.provenance, consent.readable, {encrypted}) as provenance,
    array(
        select distinct discrepancy.attribute
        from truth.discrepancy
        where discrepancy.person_key = person.person_key and discrepancy.kind = 'conflict'
            and discrepancy.closed_at is null and discrepancy.attribute = any(consent.readable)
    ) as disputed_attributes
from truth.person cross join lateral (select {readable}) consent (readable)
where {covered} and cardinality(consent.readable) > 0;
comment on view {schema}.person is 'the people in the agreement''s population, with the attributes that it covers';

-- Key and consent are for the access log, also when nothing about the person may be disclosed. When nobody is
-- found, the same queries run, so that the response time does not reveal whether the person exists.
create function {schema}.look_up(schemes text[], stated text[])
    returns table (key uuid, consented text[], person {schema}.person)
    language plpgsql stable security definer rows 1 set search_path = '' as $$
declare
    asked uuid;
begin
    if not schemes <@ {schemes} then
        raise insufficient_privilege using message = 'the agreement does not allow this search';
    end if;
    key := share.find_person_key(schemes, stated);
    asked := coalesce(key, '00000000-0000-0000-0000-000000000000');
    consented := {consented};
    select each.* into person from {schema}.person each where each.person_key = asked;
    return next;
end
$$;

revoke execute on function {schema}.look_up from public;
grant usage on schema {schema} to {role};
grant execute on function {schema}.look_up to {role};
