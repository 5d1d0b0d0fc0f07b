-- What is read, how far, and what was refused.
create schema intake;
grant usage on schema intake to oncehub_api;

create table intake.run (
    run_id         bigint generated always as identity primary key,
    source         text not null,
    stream         text not null,
    mode           text not null check (mode in ('full', 'changes', 'backfill', 'replay')),
    state          text not null default 'running' check (state in ('running', 'succeeded', 'failed')),
    window_from    timestamptz,
    window_until   timestamptz,
    started_at     timestamptz not null default now(),
    finished_at    timestamptz,
    pages          bigint not null default 0,
    read           bigint not null default 0,
    accepted       bigint not null default 0,
    unchanged      bigint not null default 0 check (unchanged >= 0),
    quarantined    bigint not null default 0,
    deleted        bigint not null default 0,
    error          text,
    deleted_read   bigint not null default 0,
    lane           text not null generated always as
        (case when mode in ('full', 'changes') then 'live' else mode end) stored,
    sequence_from  bigint,
    sequence_until bigint,
    total          bigint,
    drift          bigint not null default 0,
    definition     text,
    check (read = accepted + unchanged + quarantined + deleted_read)
);
comment on column intake.run.deleted is 'records marked deleted, by flag, tombstone or absence';
comment on column intake.run.deleted_read is
    'records read that were flags or tombstones, whether or not the hub held them';
comment on column intake.run.lane is
    'live: moves the cursor; backfill: a window that was asked for; replay: rejected records once more';
comment on column intake.run.total is 'records that the read is known to hold, where the source declares it';
comment on column intake.run.drift is 'fields noted as other than the contract says';
comment on column intake.run.definition is
    'digest of the contract, mapping and code lists that it began with; null: it began before that was kept';
create unique index run_one_running on intake.run (source, stream, lane) where state = 'running';

create table intake.cursor (
    source      text not null,
    stream      text not null,
    position    timestamptz,
    advanced_at timestamptz not null default now(),
    sequence    bigint,
    primary key (source, stream),
    constraint cursor_by_time_or_sequence check (num_nonnulls(position, sequence) = 1)
);
comment on table intake.cursor is
    'the latest statement time, or the highest sequence, seen in full; the next window starts an overlap below it';

create table intake.checkpoint (
    source        text not null,
    stream        text not null,
    run_id        bigint not null references intake.run,
    page          jsonb,
    high_mark     timestamptz,
    saved_at      timestamptz not null default now(),
    lane          text not null check (lane in ('live', 'backfill')),
    high_sequence bigint,
    shown_until   timestamptz,
    primary key (source, stream, lane)
);
comment on table intake.checkpoint is
    'where an interrupted run goes on: the next page to read and the latest statement time seen';
comment on column intake.checkpoint.page is
    'state of the next page; null when the last has landed and only the end of the run is missing';
comment on column intake.checkpoint.shown_until is
    'latest statement time of a snapshot''s own records; of what was stated later it says nothing';

create table intake.held (
    source      text not null,
    stream      text not null,
    source_key  text not null,
    stated_at   timestamptz not null,
    deletion    text check (deletion in ('stated', 'absent')),
    fingerprint bigint,
    primary key (source, stream, source_key)
);
comment on table intake.held is
    'the latest statement of every record ever received; what is older changes nothing, in whatever order it comes';
comment on column intake.held.deletion is
    'null while the record lives; stated: the source said so at stated_at; absent: it was missing from a full snapshot, so any later snapshot that has it brings it back';
comment on column intake.held.fingerprint is
    'of the rows made from the latest statement; equal, they need not be read to know that nothing changed. Null, or of another version: they are compared';

create table intake.seen (
    run_id     bigint not null references intake.run,
    source_key text not null,
    primary key (run_id, source_key)
);
comment on table intake.seen is
    'records that a full snapshot still in progress has shown, so that a resumed run knows what is absent';

create table intake.rejected (
    rejected_id bigint generated always as identity primary key,
    run_id      bigint not null references intake.run,
    source      text not null,
    stream      text not null,
    source_key  text,
    stage       text not null check (stage in ('contract', 'mapping', 'canonical')),
    reason      text not null,
    path        text not null,
    digest      bytea not null,
    payload     bytea not null,
    received_at timestamptz not null default now(),
    resolved_at timestamptz,
    kind        text not null check (kind in ('records', 'deletions')),
    stated_at   timestamptz,
    key_id      text
);
comment on column intake.rejected.digest is
    'keyed digest of the payload, under the same key: the same bad record is kept once';
comment on column intake.rejected.payload is
    'the record as received, AES-256-GCM, nonce first, bound to source, stream and digest';
comment on column intake.rejected.kind is 'what the page listed: records, or tombstones of records deleted';
comment on column intake.rejected.stated_at is 'when the source stated it; null where that cannot be read';
comment on column intake.rejected.key_id is
    'id of the key it is sealed with; null: older than the key ring, sealed with the quarantine key of then';
create index rejected_open on intake.rejected (source, stream, source_key) where resolved_at is null;
create unique index rejected_once on intake.rejected (source, stream, kind, digest);
create index rejected_resolved on intake.rejected (resolved_at) where resolved_at is not null;

-- Only ever appended to: a batch that adds to it looks nothing up, and waits for no other transaction. Every run empties
-- it: its pages are given back soon after, or the next run would read them for nothing. How many rows it had when it was
-- last counted says nothing.
create table intake.dirty (
    source     text not null,
    stream     text not null,
    source_key text not null
) with (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 2147483647
);
comment on table intake.dirty is
    'person records that changed since they were last reconciled, once for every time; a run takes the rows that it sees';

create table intake.drift (
    source     text not null,
    stream     text not null,
    path       text not null,
    kind       text not null check (kind in ('unknown', 'changed_type', 'missing')),
    found      text not null,
    first_seen timestamptz not null default now(),
    last_seen  timestamptz not null default now(),
    records    bigint not null,
    run_id     bigint not null references intake.run,
    primary key (source, stream, path, kind, found)
);
comment on table intake.drift is
    'how records differ from their contract where they land nevertheless; names and types, never values';
comment on column intake.drift.found is 'JSON type of the value, or absent';
comment on column intake.drift.records is 'how many records showed it, counted at every reading';

-- Records that their source submits instead of being read. The API adds to the queue and cannot look into it.
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
grant insert (source, stream, token, key_id, payload) on intake.submitted to oncehub_api;

create table intake.plain (
    since timestamptz not null default now()
);
comment on table intake.plain is
    'has a row while there may be sensitive values that landed before values were sealed';
