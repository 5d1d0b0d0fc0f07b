-- How an item of a form is answered: for one person when a form is opened (share.open), and for all people
-- when coverage is measured. Each of these functions is one expression without a search path of its own, so
-- that the planner puts it in place of the call: over many people none is called.
create or replace function share.is_living(life_status text) returns boolean
    language sql immutable parallel safe
    return coalesce(life_status not in ('deceased', 'missing'), true);
comment on function share.is_living is 'whether a person is not believed deceased or missing';

create or replace function share.stands(attribute text, provenance jsonb, disputed text[]) returns boolean
    language sql immutable parallel safe
    return attribute <> all(coalesce(disputed, '{}'))
        or coalesce(truth.origin(provenance, attribute) ->> 'rule' = 'authority', false);
comment on function share.stands is 'whether a golden value prevails: it is undisputed, or an authority states it';

create or replace function share.value_status(
    consented boolean, held boolean, attribute text, provenance jsonb, disputed text[], max_age interval
) returns share.item_status
    language sql stable parallel safe
    return case
        when not consented then 'needs_consent'
        when not held then 'not_known'
        when not share.stands(attribute, provenance, disputed) then 'conflicting'
        when max_age is not null
            and coalesce(
                now() - (truth.origin(provenance, attribute) ->> 'as_of')::timestamptz > max_age, true
            )
            then 'too_old'
        else 'filled'::share.item_status
    end;
comment on function share.value_status is
    'whether a golden value fills an item: consented to, held, prevailing, and not stated longer ago than max_age or at an unknown time';

create or replace function share.unfound_status(
    named boolean, relation text, provenance jsonb, disputed text[]
) returns share.item_status
    language sql stable parallel safe
    return case
        when named and not share.stands(relation, provenance, disputed) then 'conflicting'
        else 'relative_unknown'::share.item_status
    end;
comment on function share.unfound_status is
    'why a relative, or the head of a household, is not found, whom a person''s attribute names or does not name';

create or replace function share.relative_status(
    even_if_deceased boolean, life_status text, status share.item_status
) returns share.item_status
    language sql stable parallel safe
    return case
        when not even_if_deceased and not share.is_living(life_status) then 'relative_not_living' else status
    end;
comment on function share.relative_status is
    'how an item about a relative who was found is answered, by the status of the value';

create or replace function share.most_members() returns integer
    language sql immutable parallel safe
    return 50;
comment on function share.most_members is
    'members of a household beside the person: more indicate a wrong record, not a household';

create or replace function share.household_status(
    members bigint, outside boolean, status share.item_status
) returns share.item_status
    language sql stable parallel safe
    return case
        when members > share.most_members() then 'too_many' when outside then 'not_allowed' else status
    end;
comment on function share.household_status is
    'how an item that lists a household is answered whose head was found, by the least status of its values';

create or replace function share.fulfils(codes jsonb, held jsonb) returns boolean
    language sql immutable parallel safe
    return coalesce(codes ? case jsonb_typeof(held)
        when 'object' then (held ->> 'edition') || '/' || (held ->> 'unit') else held #>> '{}'
    end, false);
comment on function share.fulfils is
    'whether a value fulfils a condition of share.entitlement.population: a code, or an address by its unit; none fulfils none';

revoke execute on function
share.is_living, share.stands, share.value_status, share.unfound_status, share.relative_status,
share.most_members, share.household_status, share.fulfils
from public;
