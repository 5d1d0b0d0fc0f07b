-- Records that their source submits instead of being read: they wait here, sealed, until they are landed.
create table intake.submitted (
    number       bigint generated always as identity primary key,
    source       text not null,
    stream       text not null,
    token        uuid not null unique,
    key_id       text not null,
    payload      bytea not null,
    submitted_at timestamptz not null default now()
);
comment on table intake.submitted is
    'what waits to be landed; a row goes in the transaction that lands its record or puts it into quarantine';
comment on column intake.submitted.token is 'what the payload is bound to, beside source and stream';
comment on column intake.submitted.key_id is 'id of the key it is sealed with';
comment on column intake.submitted.payload is 'the record as submitted, AES-256-GCM, nonce first';
create index submitted_order on intake.submitted (source, stream, number);
create index submitted_at_once on intake.submitted (submitted_at);

-- The API adds to the queue and cannot look into it.
grant usage on schema intake to oncehub_api;
grant insert (source, stream, token, key_id, payload) on intake.submitted to oncehub_api;
