-- Requests that were refused before a question was asked under an agreement are lines of the access log, too:
-- one for many that are alike.
alter table audit.entry
    alter column client_id drop not null,
    alter column agency drop not null,
    alter column agreement drop not null,
    alter column purpose drop not null,
    alter column legal_basis drop not null,
    add column claimed_client text,
    add column source inet,
    add column status smallint,
    add column refusals bigint,
    add column first_at timestamptz,
    add column last_at timestamptz,
    -- Lines that are there have these columns: to read them all would stop the API meanwhile.
    add constraint entry_answer check (
        action = 'refusals' or (
            client_id is not null and agency is not null and agreement is not null and purpose is not null
            and legal_basis is not null and status is null and refusals is null
        )
    ) not valid,
    add constraint entry_refusals check (
        action <> 'refusals' or (
            status is not null and refusals > 0 and first_at <= last_at and outcome = 'refused'
            and person is null and (client_id is null or claimed_client is null)
        )
    ) not valid;
comment on column audit.entry.claimed_client is
    'of refusals, the registered client that the requests claimed without proof; (not registered): another name; (others): more names than are counted apart';
comment on column audit.entry.source is
    'of refusals, the address that sent the requests; null: not known, or more addresses than are counted apart';
comment on column audit.entry.status is 'of refusals, the status of the answers (RFC 9110)';
comment on column audit.entry.refusals is
    'how many requests were refused between first_at and last_at; request_id is that of the first';
grant insert (claimed_client, source, status, refusals, first_at, last_at) on audit.entry to oncehub_api;
