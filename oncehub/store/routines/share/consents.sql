create or replace function share.lock_consents(asked_agreement text) returns void
    language sql volatile set search_path = ''
    return pg_advisory_xact_lock_shared(hashtextextended('consent ' || asked_agreement, 0));
comment on function share.lock_consents is
    'locks an agreement''s consents before an answer that depends on them: a withdrawal waits for the answer, or the answer sees it';
revoke execute on function share.lock_consents from public;

create or replace function share.publish_consent() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    said share.consent;
begin
    select * into strict said from share.consent c where c.consent_id = new.consent_id;
    if tg_table_name = 'consent_withdrawal' then
        perform pg_advisory_xact_lock(hashtextextended('consent ' || said.agreement, 0));
    end if;
    -- No agreement has an attribute of this name, so only feeds that the person enters or leaves get an
    -- entry.
    insert into share.change (person_key, kind, attributes) values (said.person_key, 'changed', '{consent}');
    return null;
end
$$;

create or replace trigger consent_is_published after insert on share.consent
    for each row execute function share.publish_consent();

create or replace trigger consent_withdrawal_is_published after insert on share.consent_withdrawal
    for each row execute function share.publish_consent();

create or replace function share.consented(
    asked_agreement text, asked_agency text, asked_purpose text, asked_person uuid
)
    returns text[]
    language sql stable security definer set search_path = ''
begin atomic
    select coalesce(array_agg(distinct attribute), '{}')
    from share.consent c cross join unnest(c.attributes) attribute
    where c.person_key = asked_person
        and (c.agreement, c.agency, c.purpose) = (asked_agreement, asked_agency, asked_purpose)
        and not exists (select from share.consent_withdrawal w where w.consent_id = c.consent_id);
end;
comment on function share.consented is
    'the attributes that a person consents to under an agreement''s present agency and purpose; another agency or purpose needs a new consent';
revoke execute on function share.consented from public;

create or replace function share.consents_of(asked_person uuid, asked_agreements text[])
    returns table (
        consent_id uuid, agreement text, purpose text, attributes text[], text_version text,
        given_at timestamptz,
        withdrawn_at timestamptz
    )
    language sql stable security definer set search_path = ''
begin atomic
    select c.consent_id, c.agreement, c.purpose, c.attributes, c.text_version, c.given_at, w.withdrawn_at
    from share.consent c left join share.consent_withdrawal w using (consent_id)
    where c.person_key = asked_person and c.agreement = any(asked_agreements)
    order by c.given_at, c.consent_id;
end;
revoke execute on function share.consents_of from public;

create or replace function share.consent_of(asked_consent uuid, asked_agreements text[])
    returns table (person_key uuid, agreement text, given_at timestamptz, withdrawn_at timestamptz)
    language sql stable security definer set search_path = ''
begin atomic
    select c.person_key, c.agreement, c.given_at, w.withdrawn_at
    from share.consent c left join share.consent_withdrawal w using (consent_id)
    where c.consent_id = asked_consent and c.agreement = any(asked_agreements);
end;
revoke execute on function share.consent_of from public;

create or replace function share.consent_proven_by(
    asked_agreement text, asked_channel text, asked_reference text
)
    returns table (consent_id uuid, person_key uuid, purpose text, attributes text[], text_digest text)
    language sql stable security definer set search_path = ''
begin atomic
    select c.consent_id, c.person_key, c.purpose, c.attributes, c.text_digest
    from share.consent c
    where (c.agreement, c.channel, c.reference) = (asked_agreement, asked_channel, asked_reference);
end;
comment on function share.consent_proven_by is
    'the consent that a proof belongs to, so that a repeated recording is recognised';
revoke execute on function share.consent_proven_by from public;
