-- Runs and their progress, the state of each record, and rejected and submitted records.
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
    reader         text not null generated always as
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
comment on column intake.run.reader is
    'kinds of runs that may go on side by side: live moves the cursor, backfill reads a window, replay lands rejected records again';
comment on column intake.run.total is 'records of the whole read, where the source declares it';
comment on column intake.run.drift is 'fields noted as different from the contract';
comment on column intake.run.definition is
    'digest of the contract, mapping and code lists at its start';
create unique index run_one_running on intake.run (source, stream, reader) where state = 'running';

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
    'up to which time of statement, or sequence, a stream was read in full; the next window starts an overlap below it';

create table intake.checkpoint (
    source        text not null,
    stream        text not null,
    run_id        bigint not null references intake.run,
    page          jsonb,
    high_mark     timestamptz,
    saved_at      timestamptz not null default now(),
    reader        text not null check (reader in ('live', 'backfill')),
    high_sequence bigint,
    shown_until   timestamptz,
    primary key (source, stream, reader)
);
comment on table intake.checkpoint is
    'where an interrupted run resumes: the next page, and the latest time of statement seen';
comment on column intake.checkpoint.page is
    'state of the next page; null when all pages have landed and only closing the run is left';
comment on column intake.checkpoint.shown_until is
    'latest time of statement in the snapshot itself, which does not cover records stated later';

create table intake.record_state (
    source      text not null,
    stream      text not null,
    source_key  text not null,
    stated_at   timestamptz not null,
    deletion    text check (deletion in ('stated', 'absent')),
    fingerprint bigint,
    primary key (source, stream, source_key)
);
comment on table intake.record_state is
    'the latest statement of every record ever received; an older one changes nothing, in whatever order they come';
comment on column intake.record_state.deletion is
    'null: the record is live; stated: its source deleted it at stated_at; absent: a full snapshot lacked it, and any later snapshot that has it brings it back';
comment on column intake.record_state.fingerprint is
    'digest of the rows made from the latest statement; while it is equal, the rows are not compared';

create table intake.seen (
    run_id     bigint not null references intake.run,
    source_key text not null,
    primary key (run_id, source_key)
);
comment on table intake.seen is
    'records that a full snapshot in progress has shown, so that a resumed run knows which are absent';

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
    key_id      text not null
);
comment on column intake.rejected.digest is
    'keyed digest of the payload, under the same key: equal bad records are stored once';
comment on column intake.rejected.payload is
    'the record as received, AES-256-GCM, nonce first, bound to source, stream and digest';
comment on column intake.rejected.kind is 'what the page listed: records, or tombstones';
comment on column intake.rejected.stated_at is 'when the source stated it; null where that cannot be read';
comment on column intake.rejected.key_id is
    'id of the key that the payload is encrypted with';
create index rejected_open on intake.rejected (source, stream, source_key) where resolved_at is null;
create unique index rejected_once on intake.rejected (source, stream, kind, digest);
create index rejected_resolved on intake.rejected (resolved_at) where resolved_at is not null;

-- Append-only: a batch that adds to it looks nothing up, and waits for no other transaction. Every run
-- empties it, so it is vacuumed soon, or the next run would read empty pages. It is never analyzed: its row
-- count soon means nothing.
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
    'person records that changed since they were last reconciled, a row for each change; a run deletes the rows that it sees';

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
    'how landed records differ from their contracts: names and types, never values';
comment on column intake.drift.found is 'JSON type of the value, or absent';
comment on column intake.drift.records is 'number of records, counted each time they were read';

-- Records that their source submits instead of being read. The API adds to the queue and cannot look into it.
create table intake.submission (
    number       bigint generated always as identity primary key,
    source       text not null,
    stream       text not null,
    token        uuid not null unique,
    key_id       text not null,
    payload      bytea not null,
    submitted_at timestamptz not null default now()
);
comment on table intake.submission is
    'submitted records that wait to be landed; a row is deleted in the transaction that lands or rejects its record';
comment on column intake.submission.token is 'the payload is bound to it, beside source and stream';
comment on column intake.submission.key_id is 'id of the key that the payload is encrypted with';
comment on column intake.submission.payload is 'the record as submitted, AES-256-GCM, nonce first';
create index submission_order on intake.submission (source, stream, number);
create index submission_submitted_at on intake.submission (submitted_at);
grant insert (source, stream, token, key_id, payload) on intake.submission to oncehub_api;
