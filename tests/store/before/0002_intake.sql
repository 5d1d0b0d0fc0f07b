-- What is read, how far, and what was refused.
create schema intake;

create table intake.run (
    run_id       bigint generated always as identity primary key,
    source       text not null,
    stream       text not null,
    mode         text not null check (mode in ('full', 'changes')),
    state        text not null default 'running' check (state in ('running', 'succeeded', 'failed')),
    window_from  timestamptz,
    window_until timestamptz,
    started_at   timestamptz not null default now(),
    finished_at  timestamptz,
    pages        bigint not null default 0,
    read         bigint not null default 0,
    accepted     bigint not null default 0,
    unchanged    bigint not null default 0,
    quarantined  bigint not null default 0,
    deleted      bigint not null default 0,
    error        text,
    deleted_read bigint not null default 0,
    check (read = accepted + unchanged + quarantined + deleted_read),
    check (unchanged >= 0)
);
comment on column intake.run.deleted is 'records marked deleted, by flag, tombstone or absence';
comment on column intake.run.deleted_read is 'records read that were flags or tombstones, whether or not the hub held them';
create unique index run_one_running on intake.run (source, stream) where state = 'running';

create table intake.cursor (
    source      text not null,
    stream      text not null,
    position    timestamptz not null,
    advanced_at timestamptz not null default now(),
    primary key (source, stream)
);
comment on table intake.cursor is 'the latest statement time landed; the next window starts an overlap below it';

create table intake.checkpoint (
    source      text not null,
    stream      text not null,
    run_id      bigint not null references intake.run,
    page        jsonb,
    high_mark   timestamptz,
    saved_at    timestamptz not null default now(),
    primary key (source, stream)
);
comment on table intake.checkpoint is 'where an interrupted run goes on: the next page to read and the latest statement time seen';
comment on column intake.checkpoint.page is 'state of the next page; null when the last has landed and only the end of the run is missing';

create table intake.held (
    source     text not null,
    stream     text not null,
    source_key text not null,
    stated_at  timestamptz not null,
    deletion   text check (deletion in ('stated', 'absent')),
    primary key (source, stream, source_key)
);
comment on table intake.held is 'the latest statement of every record ever received; what is older changes nothing, in whatever order it comes';
comment on column intake.held.deletion is
    'null while the record lives; stated: the source said so at stated_at; absent: it was missing from a full snapshot, so any later snapshot that has it brings it back';

create table intake.seen (
    run_id     bigint not null references intake.run,
    source_key text not null,
    primary key (run_id, source_key)
);
comment on table intake.seen is 'records that a full snapshot still in progress has shown, so that a resumed run knows what is absent';

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
    resolved_at timestamptz
);
comment on column intake.rejected.payload is 'the record as received, AES-256-GCM, nonce first, bound to source and stream';
comment on column intake.rejected.digest is 'keyed digest of the payload: the same bad record is kept once';
create unique index rejected_once on intake.rejected (source, stream, digest);
create index rejected_open on intake.rejected (source, stream, source_key) where resolved_at is null;

create sequence intake.mark;
create table intake.dirty (
    source     text not null,
    stream     text not null,
    source_key text not null,
    mark       bigint not null default nextval('intake.mark'),
    primary key (source, stream, source_key)
);
comment on table intake.dirty is 'person records that changed since they were last reconciled; a record marked again gets a new mark';
