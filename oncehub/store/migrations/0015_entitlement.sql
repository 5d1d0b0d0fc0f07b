-- Entitlement is enforced by functions that are the same for all agreements, over a row of share.entitlement
-- each; the schemas and roles that each agreement had are gone. The API proves every request to them.
do $$
declare
    name text;
begin
    for name in select nspname from pg_namespace where starts_with(nspname, 'agreement_') loop
        execute format('drop schema %I cascade', name);
    end loop;
    for name in select rolname from pg_roles where starts_with(rolname, 'oncehub_agreement_') loop
        begin
            if not pg_has_role(name, 'usage') then
                execute format('grant %I to current_user with inherit true, set false', name);
            end if;
            execute format('drop owned by %I', name);
            execute format('drop role %I', name);
        exception when dependent_objects_still_exist or undefined_object then
            -- Another hub on the server still has agreements of that name; its upgrade drops the role.
            null;
        end;
    end loop;
end
$$;

create schema entitled;
comment on schema entitled is
    'what a request that the API has proven may read and write, as far as its agreement is entitled to it';
grant usage on schema entitled to oncehub_api;

create table share.entitlement (
    agreement    text primary key,
    agency       text not null,
    purpose      text not null,
    legal_basis  text not null,
    since        date not null,
    until        date not null,
    attributes   text[] not null,
    columns      text[] not null,
    encrypted    text[] not null,
    schemes      text[] not null,
    population   jsonb,
    by_consent   boolean not null,
    forms        boolean not null,
    papers       boolean not null,
    relations    text[] not null,
    submissions  boolean not null,
    feed         text,
    source       text,
    noticed      text[] not null,
    kinds        text[] not null,
    sources      text[],
    recorded     text[] not null,
    view         boolean not null,
    usage        boolean not null,
    correctable  text[] not null,
    digest       text not null
);
comment on table share.entitlement is
    'what each agreement entitles to, from mappings/agreements by `oncehub agreements apply`; only the owner''s functions read it';
comment on column share.entitlement.since is 'the first day on which the agreement and its legal basis hold, until the last';
comment on column share.entitlement.columns is
    'of truth.person, those that may be read; beside the attributes the life status, where forms are opened';
comment on column share.entitlement.schemes is 'of truth.identifier, those that may be searched by';
comment on column share.entitlement.population is
    'column -> object whose names are the codes, or of addresses <edition>/<unit>, one of which the person must have; null: everybody';
comment on column share.entitlement.source is 'to whose notices, about noticed, it entitles';
comment on column share.entitlement.kinds is 'of cases, about records of the sources; sources null: of all';
comment on column share.entitlement.recorded is 'agreements for which consents may be recorded';
comment on column share.entitlement.view is 'citizens make requests for correction, of the correctable attributes, and with usage see who had their data';

create table share.request_key (
    blocks      bytea primary key check (length(blocks) = 128),
    added_at    timestamptz not null default now(),
    valid_until timestamptz
);
comment on table share.request_key is
    'verifies what the API proves: the two padded blocks of its request key (RFC 2104); only the owner''s functions read it';
comment on column share.request_key.valid_until is 'an hour after another key has come';

create table share.asked (
    at         bigint not null,
    request_id uuid not null,
    step       integer not null,
    asked_in   xid8 not null default pg_current_xact_id(),
    code       bytea not null,
    agreement  text,
    client_id  text,
    action     text,
    outcome    text,
    person     uuid,
    people     uuid[],
    columns    text[],
    relatives  jsonb,
    household  text,
    members    uuid[],
    of_members text[],
    case_id    bigint,
    first      bigint,
    last       bigint,
    opened_in  xid8,
    -- In the order of time, so that rows are added and removed at the ends.
    primary key (at, request_id, step)
);
comment on table share.asked is
    'requests of the last minutes that were proven, each good once: what they may be told, and the transaction that they are open in';
comment on column share.asked.at is 'the moment that the API has signed, in microseconds since 1970';
create index asked_open on share.asked (opened_in) where opened_in is not null;

create type share.question as (
    agreement text, client text, officer text, action text, procedure text, case_id bigint, request_id uuid,
    step integer, at bigint, pseudonyms text, legal_basis text, hidden_by text,
    schemes text[], stated text[],  -- noqa: layout.spacing
    attributes text[], partly boolean,  -- noqa: layout.spacing
    relations jsonb, household text[], after bigint, lines bigint,  -- noqa: layout.spacing
    feed text, vouched_by text
);
comment on type share.question is 'a request as the API signs it, in JSON; at is in microseconds since 1970';

-- A line before the answer says what may be told: whatever becomes of the transaction that is told it.
alter table audit.entry
    drop constraint entry_outcome_check,
    add constraint entry_outcome_check
        check (outcome in ('answered', 'not_found', 'refused', 'opened')) not valid,
    drop constraint entry_page,
    add constraint entry_page check (
        (first_sequence is null) = (last_sequence is null)
        and ((first_sequence is null) = (given is null) or outcome = 'opened')
        and (first_sequence is null or feed is not null)
    ) not valid;
comment on column audit.entry.outcome is
    'opened: written before anything was told; another line of the request says what came of it';
revoke insert (client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes,
    refused, outcome, request_id, officer, case_id, decision_id, withheld, involvement, feed,
    first_sequence, last_sequence, given, hidden_by, claimed_client, source, status, refusals, first_at,
    last_at, vouched_by)
    on audit.entry from oncehub_api;

comment on column hub.key.use is 'data, pseudonym, signing, token or request; another token or request key is accepted';
