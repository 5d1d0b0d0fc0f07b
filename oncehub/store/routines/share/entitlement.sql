-- What an agreement entitles to, evaluated in one place, for look-ups, forms and everything else by person.
-- The whole row as JSON takes five times as long as the few columns that a look-up asks for.
create or replace function share.value_of(person truth.person, attribute text) returns jsonb
    language sql stable parallel safe
    return case attribute
        when 'personal_id' then to_jsonb(person.personal_id)
        when 'national_id_9' then to_jsonb(person.national_id_9)
        when 'tax_code' then to_jsonb(person.tax_code)
        when 'full_name' then to_jsonb(person.full_name)
        when 'other_name' then to_jsonb(person.other_name)
        when 'birth_date' then to_jsonb(person.birth_date)
        when 'sex' then to_jsonb(person.sex)
        when 'birth_place' then person.birth_place
        when 'birth_registration_place' then person.birth_registration_place
        when 'hometown' then person.hometown
        when 'ethnicity' then to_jsonb(person.ethnicity)
        when 'religion' then to_jsonb(person.religion)
        when 'nationality' then to_jsonb(person.nationality)
        when 'blood_type' then to_jsonb(person.blood_type)
        when 'id_card' then person.id_card
        when 'father' then person.father
        when 'mother' then person.mother
        when 'spouse' then person.spouse
        when 'permanent_address' then person.permanent_address
        when 'temporary_address' then person.temporary_address
        when 'current_address' then person.current_address
        when 'residence_file' then to_jsonb(person.residence_file)
        when 'marital_status' then to_jsonb(person.marital_status)
        when 'relation_to_head' then to_jsonb(person.relation_to_head)
        when 'household_head' then person.household_head
        when 'life_status' then to_jsonb(person.life_status)
        when 'death_date' then to_jsonb(person.death_date)
        when 'phone' then to_jsonb(person.phone)
        when 'email' then to_jsonb(person.email)
        when 'passport' then to_jsonb(person.passport)
    end;
comment on function share.value_of is 'one attribute of a golden record, by the name of its column';

create or replace function share.covers(population jsonb, person truth.person) returns boolean
    language sql stable parallel safe as $$
    select coalesce(bool_and(share.fulfils(condition.value, share.value_of(person, condition.key))), true)
    from jsonb_each(population) as condition
$$;
comment on function share.covers is
    'whether a row of truth.person fulfils every condition of share.entitlement.population';

-- PL/pgSQL, because its plans are cached. A person is read by a variable, so that one partition is.
create or replace function share.look_at(
    e share.entitlement, asked uuid, wanted text[],
    out consented text[], out covered boolean, out given jsonb, out provenance jsonb, out disputed text[]
)
    language plpgsql stable as $$
declare
    held truth.person;
    readable text[] := e.columns;
begin
    consented := '{}';
    if e.by_consent then
        consented := share.consented(e.agreement, e.agency, e.purpose, asked);
        readable := array(select substr(name, 8) from unnest(consented) as name);
    end if;
    if wanted = '{}' and e.population is null then
        covered := cardinality(readable) > 0
            and exists (select from truth.person as person where person.person_key = asked);
        return;
    end if;
    select * into held from truth.person as person where person.person_key = asked;
    covered := held.person_key is not null and cardinality(readable) > 0
        and (e.population is null or share.covers(e.population, held));
    if not covered then
        return;
    end if;
    if not e.by_consent and wanted <@ e.columns then
        -- Most look-ups; the other branch gives the same.
        given := (select jsonb_object_agg(name, share.value_of(held, name)) from unnest(wanted) as name);
        readable := wanted;
    else
        given := (
            select jsonb_object_agg(name, case
                -- The life status decides whether a form is filled, with consent or without.
                when name = any(readable) or not 'person.' || name = any(e.attributes)
                    then share.value_of(held, name)
            end)
            from unnest(wanted) as name
            where name = any(e.columns)
        );
        readable := array(select name from unnest(readable) as name where name = any(wanted));
    end if;
    select
        truth.origins(held.provenance, readable, e.encrypted),
        array(
            select distinct discrepancy.attribute
            from truth.discrepancy
            where discrepancy.person_key = asked and discrepancy.kind = 'conflict'
                and discrepancy.closed_at is null and discrepancy.attribute = any(readable)
        )
    into provenance, disputed;
end
$$;
comment on function share.look_at is
    'what an agreement entitles to of a person: whether it covers them, the wanted columns, their provenance and which are disputed; consented: the attributes, where consent is needed';
revoke execute on function share.look_at from public;

-- The people with the same head of household as a person. If one of them is outside the agreement's
-- population, or they are too many to be a household, only that reason is returned.
create or replace function share.household_under(
    e share.entitlement, asked uuid, head_number text, out why text, out members uuid[]
)
    language plpgsql stable as $$
declare
    head uuid;
begin
    select led.person_key into head from truth.leading_number as led where led.personal_id = head_number;
    members := array(
        select member.person_key
        from truth.leading_number as led
        join truth.person as member on member.household_head ->> 'personal_id' = led.personal_id
        where led.person_key = head and member.person_key <> asked
            and share.is_living(member.life_status)
        limit share.most_members() + 1
    );
    why := case when head is null then 'relative_unknown' else share.household_status(
        cardinality(members),
        exists (
            select from unnest(members) as member
            where not (select seen.covered from share.look_at(e, member, '{}') as seen)
        ),
        null
    )::text end;
    if why is not null then
        members := '{}';
    end if;
    members := array(select member from unnest(members) as member order by member);
end
$$;
comment on function share.household_under is 'the others of a household, if the agreement covers them all';
revoke execute on function share.household_under from public;

create or replace function share.entitlement_digests() returns table (agreement text, digest text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.agreement, e.digest from share.entitlement as e
$$;
comment on function share.entitlement_digests is 'by which the API sees that its agreements are the database''s';
revoke execute on function share.entitlement_digests from public;
grant execute on function share.entitlement_digests to oncehub_api;

create or replace function share.disclosable(e share.entitlement, asked uuid) returns text[]
    language plpgsql stable as $$
begin
    return case when e.by_consent then array(
        select unnest(e.attributes)
        intersect select unnest(share.consented(e.agreement, e.agency, e.purpose, asked))
    ) else e.attributes end;
end
$$;
comment on function share.disclosable is 'the attributes of a person that an agreement may disclose, where needed with consent';
revoke execute on function share.disclosable from public;

create or replace function share.readable_of(e share.entitlement, asked uuid) returns text[]
    language sql stable
    return array(select substr(name, 8) from unnest(share.disclosable(e, asked)) as name);
comment on function share.readable_of is 'what share.disclosable names, as columns';
revoke execute on function share.readable_of from public;

create or replace function share.standing_names(e share.entitlement, asked uuid) returns text[]
    language plpgsql stable as $$
begin
    return case
        when not e.by_consent and e.population is null then e.attributes
        when (
            select last.line ->> 'kind' from share.feed_entry as last
            where last.feed = e.feed and last.person_key = asked
            order by last.sequence desc
            limit 1
        ) = 'removed' then '{}'
        else share.disclosable(e, asked)
    end;
end
$$;
comment on function share.standing_names is
    'the attributes that entries of the agreement''s feed about a person may still hold: none after a removal';
revoke execute on function share.standing_names from public;
