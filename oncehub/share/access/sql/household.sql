-- The people with the same head of household as a person. If one of them is outside the agreement's
-- population, or they are too many to be a household, only that reason is returned.
create function {schema}.household_members(asked uuid)
    returns table (why text, person {schema}.person)
    language plpgsql stable security definer set search_path = '' as $$
declare
    head uuid;
    members uuid[];
begin
    select led.person_key into head
    from {schema}.person each
    join truth.leading_number led on led.personal_id = each.household_head ->> 'personal_id'
    where each.person_key = asked;
    members := array(
        select member.person_key
        from truth.leading_number led
        join truth.person member on member.household_head ->> 'personal_id' = led.personal_id
        where led.person_key = head and member.person_key <> asked and {living}
        limit {most} + 1
    );
    why := case
        when head is null then 'relative_unknown'
        when cardinality(members) > {most} then 'too_many'
        when cardinality(members)
            > (select count(*) from {schema}.person each where each.person_key = any(members))
        then 'not_allowed'
    end;
    if why is not null then
        return next;
        return;
    end if;
    for person in select each.* from {schema}.person each where each.person_key = any(members)
        order by each.person_key loop
        return next;
    end loop;
end
$$;
comment on function {schema}.household_members is 'the others of a household, if the agreement has them all';
revoke execute on function {schema}.household_members from public;
grant execute on function {schema}.household_members to {role};
