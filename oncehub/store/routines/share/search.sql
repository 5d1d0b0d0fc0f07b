-- PL/pgSQL, because its plans are cached; a function in SQL is planned at each look-up.
create or replace function share.find_person_key(schemes text[], stated text[]) returns uuid
    language plpgsql stable as $$
declare
    led uuid[];
    found uuid[];
begin
    for number in 1 .. coalesce(cardinality(schemes), 0) loop
        select case
            when bool_or(i.contested) then '{}'
            else coalesce(array_agg(i.person_key) filter (where i.current), array_agg(i.person_key), '{}')
        end into led
        from truth.identifier i
        where i.scheme = schemes[number] and i.value = text.identifying(schemes[number], stated[number]);
        if number = 1 then
            found := led;
        else
            found := array(select unnest(found) intersect select unnest(led));
        end if;
    end loop;
    return case when cardinality(found) = 1 then found[1] end;
end
$$;
comment on function share.find_person_key is
    'the one person that all terms lead to: the present bearer of a value, else its former one; a contested value leads to nobody';
revoke execute on function share.find_person_key from public;
