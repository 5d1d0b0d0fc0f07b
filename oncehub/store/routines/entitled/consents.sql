create or replace function entitled.consents_of(asked_person uuid, asked_agreements text[])
    returns table (
        consent_id uuid, agreement text, purpose text, attributes text[], text_version text,
        given_at timestamptz,
        withdrawn_at timestamptz
    )
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    return query
    select consent.*
    from share.consents_of(
        asked_person, array(select unnest(asked_agreements) intersect select unnest(e.recorded))
    ) as consent;
end
$$;
comment on function entitled.consents_of is
    'consents of a person in the agreement''s population, to agreements for which it may record consents';

-- A person may withdraw a consent at a counter even after they have left the agreement's population.
create or replace function entitled.consent_of(asked_consent uuid, asked_agreements text[])
    returns table (person_key uuid, agreement text, given_at timestamptz, withdrawn_at timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_as('consent');
begin
    return query
    select consent.*
    from share.consent_of(
        asked_consent, array(select unnest(asked_agreements) intersect select unnest(e.recorded))
    ) as consent;
end
$$;
comment on function entitled.consent_of is
    'one consent, by its id, to an agreement for which it may record consents';

create or replace function entitled.consent_proven_by(
    asked_agreement text, asked_channel text, asked_reference text
)
    returns table (consent_id uuid, person_key uuid, purpose text, attributes text[], text_digest text)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_as('consent');
begin
    return query
    select consent.*
    from share.consent_proven_by(asked_agreement, asked_channel, asked_reference) as consent
    where asked_agreement = any(e.recorded);
end
$$;
comment on function entitled.consent_proven_by is
    'one consent, by its proof, to an agreement for which it may record consents';

create or replace function entitled.recorded() returns text[]
    language sql stable security definer set search_path = pg_catalog, pg_temp
    return (share.open_as('consent')).recorded;
comment on function entitled.recorded is 'the agreements for which consents may be recorded';

create or replace function entitled.people() returns uuid[]
    language sql stable security definer set search_path = pg_catalog, pg_temp
    return array(
        select unnest(a.people) from share.asked as a where a.opened_in = pg_current_xact_id_if_assigned()
    );
comment on function entitled.people is 'whom the request is about';

-- For share.write only. A consent lets another agreement obtain more attributes.
create or replace view entitled.consent as
select
    consent_id, person_key, agreement, agency, purpose, attributes, text_version, text_digest,
    given_at, channel,
    reference, officer, recorded_by, vouched_by
from share.consent
where agreement = any((select entitled.recorded())::text[])
    and person_key = any((select entitled.people())::uuid[])
with check option;
comment on view entitled.consent is
    'takes consents of the person asked about, to agreements that consents may be recorded for';

create or replace view entitled.consent_withdrawal as
select consent_id, withdrawn_at, channel, reference, officer, recorded_by, vouched_by
from share.consent_withdrawal
where exists (
    select from share.consent as given
    where given.consent_id = consent_withdrawal.consent_id
        and given.agreement = any((select entitled.recorded())::text[])
)
with check option;
comment on view entitled.consent_withdrawal is
    'takes withdrawals of consents to agreements that consents may be recorded for';

revoke execute on all functions in schema entitled from public;
grant execute on all functions in schema entitled to oncehub_api;
