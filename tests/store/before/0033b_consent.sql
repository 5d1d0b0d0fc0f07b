-- Citizens' consent to what private parties ask of them: given, proven, withdrawn, and never forgotten.
create table share.consent (
    consent_id   uuid primary key,
    person_key   uuid not null,
    agreement    text not null,
    agency       text not null,
    purpose      text not null,
    attributes   text[] not null check (cardinality(attributes) > 0),
    text_version text not null check (length(text_version) between 1 and 100),
    text_digest  text not null check (text_digest ~ '^[0-9a-f]{64}$'),
    given_at     timestamptz not null,
    channel      text not null check (channel in ('vneid', 'portal', 'counter')),
    reference    text not null check (length(reference) between 1 and 100),
    officer      text check (length(officer) between 1 and 100),
    recorded_by  text not null check (length(recorded_by) between 1 and 200),
    recorded_at  timestamptz not null default clock_timestamp(),
    unique (agreement, channel, reference),
    check (channel <> 'counter' or officer is not null)
);
comment on table share.consent is
    'what a citizen has consented to (Nghị định 356/2025/NĐ-CP Điều 6: who, when, to what); insert only';
comment on column share.consent.attributes is 'each one by name; nothing is consented to by default';
comment on column share.consent.text_digest is 'SHA-256 of the text that was shown';
comment on column share.consent.reference is 'of the transaction at VNeID or the portal, or of the paper at a counter, that proves it';
comment on column share.consent.officer is 'who took it down, where somebody did';
comment on column share.consent.recorded_by is 'the client that recorded it, or who at the command line';
create index consent_person on share.consent (person_key, agreement);

create table share.consent_withdrawal (
    consent_id   uuid primary key references share.consent,
    withdrawn_at timestamptz not null,
    channel      text not null check (channel in ('vneid', 'portal', 'counter')),
    reference    text not null check (length(reference) between 1 and 100),
    officer      text check (length(officer) between 1 and 100),
    recorded_by  text not null check (length(recorded_by) between 1 and 200),
    recorded_at  timestamptz not null default clock_timestamp(),
    check (channel <> 'counter' or officer is not null)
);
comment on table share.consent_withdrawal is 'consents that no longer hold, at once and for good; insert only';

create trigger consent_insert_only before update or delete or truncate on share.consent
    for each statement execute function share.refuse_change();
create trigger consent_withdrawal_insert_only before update or delete or truncate on share.consent_withdrawal
    for each statement execute function share.refuse_change();

create function share.hold_consents(asked_agreement text) returns void
    language sql volatile set search_path = ''
    return pg_advisory_xact_lock_shared(hashtextextended('consent ' || asked_agreement, 0));
comment on function share.hold_consents is
    'whoever answers by consents holds them first: a withdrawal waits for the answer, or the answer sees it';

create function share.tell_of_consent() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    said share.consent;
begin
    select * into strict said from share.consent c where c.consent_id = new.consent_id;
    if tg_table_name = 'consent_withdrawal' then
        perform pg_advisory_xact_lock(hashtextextended('consent ' || said.agreement, 0));
    end if;
    -- No agreement has an attribute of this name, so that only feeds of which the person comes or goes say a word.
    insert into share.change (person_key, kind, attributes) values (said.person_key, 'changed', '{consent}');
    return null;
end
$$;
create trigger consent_is_told after insert on share.consent
    for each row execute function share.tell_of_consent();
create trigger consent_withdrawal_is_told after insert on share.consent_withdrawal
    for each row execute function share.tell_of_consent();

create function share.consented(asked_agreement text, asked_agency text, asked_purpose text, asked_person uuid)
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
    'what a person consents to now, under one agreement as it stands: another agency or purpose asks anew';

-- As text of PL/pgSQL its plan is kept, where one in SQL is made anew by each look-up.
create function share.sought(schemes text[], stated text[]) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
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
        found := case
            when number = 1 then led
            else array(select unnest(found) intersect select unnest(led))
        end;
    end loop;
    return case when cardinality(found) = 1 then found[1] end;
end
$$;
comment on function share.sought is
    'the one person that every term leads to: whoever holds its value now, else held it formerly, and of a contested one nobody';

create function share.consents_of(asked_person uuid, asked_agreements text[])
    returns table (
        consent_id uuid, agreement text, purpose text, attributes text[], text_version text, given_at timestamptz,
        withdrawn_at timestamptz
    )
    language sql stable security definer set search_path = ''
begin atomic
    select c.consent_id, c.agreement, c.purpose, c.attributes, c.text_version, c.given_at, w.withdrawn_at
    from share.consent c left join share.consent_withdrawal w using (consent_id)
    where c.person_key = asked_person and c.agreement = any(asked_agreements)
    order by c.given_at, c.consent_id;
end;

create function share.consent_of(asked_consent uuid, asked_agreements text[])
    returns table (person_key uuid, agreement text, given_at timestamptz, withdrawn_at timestamptz)
    language sql stable security definer set search_path = ''
begin atomic
    select c.person_key, c.agreement, c.given_at, w.withdrawn_at
    from share.consent c left join share.consent_withdrawal w using (consent_id)
    where c.consent_id = asked_consent and c.agreement = any(asked_agreements);
end;

create function share.consent_proven_by(asked_agreement text, asked_channel text, asked_reference text)
    returns table (consent_id uuid, person_key uuid, purpose text, attributes text[], text_digest text)
    language sql stable security definer set search_path = ''
begin atomic
    select c.consent_id, c.person_key, c.purpose, c.attributes, c.text_digest
    from share.consent c
    where (c.agreement, c.channel, c.reference) = (asked_agreement, asked_channel, asked_reference);
end;
comment on function share.consent_proven_by is 'lets a recording that is repeated be told from another by the same proof';

revoke execute on function share.consented, share.sought, share.consents_of, share.consent_of, share.consent_proven_by
    from public;
grant execute on function share.hold_consents, share.consented, share.consents_of, share.consent_of,
    share.consent_proven_by to oncehub_api;
grant insert (consent_id, person_key, agreement, agency, purpose, attributes, text_version, text_digest, given_at,
    channel, reference, officer, recorded_by) on share.consent to oncehub_api;
grant insert (consent_id, withdrawn_at, channel, reference, officer, recorded_by)
    on share.consent_withdrawal to oncehub_api;

alter table audit.entry add column withheld text check (withheld in ('population', 'consent'));
comment on column audit.entry.withheld is
    'why somebody who was found was not answered about: outside the agreement''s population, or without consent; whoever asked was told as of nobody';
grant insert (withheld) on audit.entry to oncehub_api;
