-- Who looked at whose data, by what right. Insert only.
create schema audit;

create table audit.entry (
    entry_id   bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    client_id  text not null,
    agency     text not null,
    agreement  text not null,
    purpose    text not null,
    legal_basis text not null,
    action     text not null check (action in ('lookup', 'prefill', 'feed')),
    procedure  text,
    person     text,
    attributes text[] not null,
    refused    text[] not null default '{}',
    outcome    text not null check (outcome in ('answered', 'not_found', 'refused')),
    request_id uuid not null
);
comment on column audit.entry.person is 'keyed pseudonym of the person; null where the request was refused before one was looked for, or none was found';
comment on column audit.entry.attributes is 'what left the hub; of a refused or unanswered request, what was asked for';
create index entry_person on audit.entry (person, entry_id);
create index entry_agreement on audit.entry (agreement, at);

create function audit.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'the access log is insert only';
end
$$;
create trigger entry_insert_only before update or delete or truncate on audit.entry
    for each statement execute function audit.refuse_change();

create function audit.entry_count(counted_agreement text, since timestamptz) returns bigint
    language sql stable security definer set search_path = ''
    return (select count(*) from audit.entry where agreement = counted_agreement and at >= since);
comment on function audit.entry_count is 'lets the API keep an agreement''s daily limit without being able to read the log';
revoke execute on function audit.entry_count from public;

-- The API answers as this role: it reads what is believed and appends to the log, nothing else.
do $$
begin
    if not exists (select from pg_roles where rolname = 'oncehub_api') then
        create role oncehub_api nologin;
    end if;
end
$$;
grant usage on schema truth, share, audit, record, text to oncehub_api;
grant select on truth.person, truth.identifier, truth.link, truth.discrepancy to oncehub_api;
grant select on record.tax_registration, record.dossier, record.document to oncehub_api;
grant select on share.feed, share.delivery, share.consumer to oncehub_api;
grant select, insert, delete on share.assertion to oncehub_api;
grant insert on audit.entry to oncehub_api;
grant execute on function audit.entry_count to oncehub_api;
