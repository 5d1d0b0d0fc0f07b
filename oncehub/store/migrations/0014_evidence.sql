-- Evidence of identity providers is good once, on all servers, also after a restart.
create table share.used_evidence (
    digest     bytea primary key check (length(digest) = 32),
    kept_until timestamptz not null
);
comment on table share.used_evidence is
    'evidence that was used, until it would be refused for its age; see share.use_evidence';
comment on column share.used_evidence.digest is 'SHA-256 of what the identity provider signed';
create index used_evidence_kept on share.used_evidence (kept_until);

alter table share.consent
    add column vouched_by text,
    add constraint consent_vouched_by check (vouched_by in ('client', 'provider', 'officer', 'operator'))
        not valid;
comment on column share.consent.vouched_by is
    'who vouches for the citizen: see audit.entry.vouched_by; operator: recorded by oncehub consent give; null in older rows';
alter table share.consent_withdrawal
    add column vouched_by text,
    add constraint consent_withdrawal_vouched_by
        check (vouched_by in ('client', 'provider', 'officer', 'operator')) not valid;
comment on column share.consent_withdrawal.vouched_by is 'as in share.consent';
alter table share.request
    add column vouched_by text,
    add constraint request_vouched_by check (vouched_by in ('client', 'provider', 'officer', 'operator'))
        not valid;
comment on column share.request.vouched_by is 'as in share.consent';
grant insert (vouched_by) on share.request to oncehub_api;
alter table share.submission
    add column vouched_by text,
    add constraint submission_vouched_by check (vouched_by in ('client', 'provider', 'officer')) not valid;
comment on column share.submission.vouched_by is 'who vouches for the citizen: see audit.entry.vouched_by';
grant insert (vouched_by) on share.submission to oncehub_api;

-- A consent and its withdrawal keep the evidence that proved the citizen.
create table share.consent_evidence (
    consent_id  uuid not null references share.consent,
    act         text not null check (act in ('given', 'withdrawn')),
    digest      bytea not null unique check (length(digest) = 32),
    key_id      text not null,
    content     bytea not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (consent_id, act)
);
comment on table share.consent_evidence is
    'the evidence by which an identity provider proved who gave or withdrew a consent; only key and ciphertext change';
comment on column share.consent_evidence.digest is 'SHA-256 of what the identity provider signed';
comment on column share.consent_evidence.content is
    'encrypted JSON: the evidence as received, and the request that its nonce was computed of';
grant insert (consent_id, act, digest, key_id, content) on share.consent_evidence to oncehub_api;
