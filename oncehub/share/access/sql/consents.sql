create function {schema}.consents_of(asked_person uuid, asked_agreements text[])
    returns table (
        consent_id uuid, agreement text, purpose text, attributes text[], text_version text,
        given_at timestamptz,
        withdrawn_at timestamptz
    )
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select consent.*
    from {schema}.person as person
    cross join lateral share.consents_of(
        person.person_key, array(select unnest(asked_agreements) intersect select unnest({recorded}))
    ) as consent
    where person.person_key = asked_person;
end
$$;
comment on function {schema}.consents_of is
    'consents of a person in the agreement''s population, to agreements for which it may record consents';

-- A person may withdraw a consent at a counter even after they have left the agreement's population.
create function {schema}.consent_of(asked_consent uuid, asked_agreements text[])
    returns table (person_key uuid, agreement text, given_at timestamptz, withdrawn_at timestamptz)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select consent.*
    from share.consent_of(
        asked_consent, array(select unnest(asked_agreements) intersect select unnest({recorded}))
    ) as consent;
end
$$;
comment on function {schema}.consent_of is
    'one consent, by its id, to an agreement for which it may record consents';

create function {schema}.consent_proven_by(asked_agreement text, asked_channel text, asked_reference text)
    returns table (consent_id uuid, person_key uuid, purpose text, attributes text[], text_digest text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select consent.*
    from share.consent_proven_by(asked_agreement, asked_channel, asked_reference) as consent
    where asked_agreement = any({recorded});
end
$$;
comment on function {schema}.consent_proven_by is
    'one consent, by its proof, to an agreement for which it may record consents';

-- These views are for inserts only. A consent lets another agreement obtain more attributes.
create view {schema}.consent as
select
    consent_id, person_key, agreement, agency, purpose, attributes, text_version, text_digest,
    given_at, channel,
    reference, officer, recorded_by, vouched_by
from share.consent
where agreement = any({recorded}) and person_key in (select person_key from {schema}.person)
with check option;
comment on view {schema}.consent is
    'takes consents of those whom the agreement has, to agreements that it may record them for';

create view {schema}.consent_withdrawal as
select consent_id, withdrawn_at, channel, reference, officer, recorded_by, vouched_by
from share.consent_withdrawal
where consent_id in (select consent_id from share.consent where agreement = any({recorded}))
with check option;
comment on view {schema}.consent_withdrawal is
    'takes withdrawals of consents to agreements that it may record them for';

revoke execute on function {schema}.consents_of, {schema}.consent_of, {schema}.consent_proven_by from public;
grant execute on function {schema}.consents_of, {schema}.consent_of, {schema}.consent_proven_by to {role};
grant insert on {schema}.consent, {schema}.consent_withdrawal to {role};
