-- Cursors by sequence, backfills and replays beside the live reading, and what differs from the contract.
alter table intake.run
    drop constraint run_mode_check,
    add constraint run_mode_check check (mode in ('full', 'changes', 'backfill', 'replay')),
    add column lane text not null generated always as
        (case when mode in ('full', 'changes') then 'live' else mode end) stored,
    add column sequence_from bigint,
    add column sequence_until bigint,
    add column total bigint,
    add column drift bigint not null default 0;
comment on column intake.run.lane is
    'live: moves the cursor; backfill: a window that was asked for; replay: rejected records once more';
comment on column intake.run.total is 'records that the read is known to hold, where the source declares it';
comment on column intake.run.drift is 'fields noted as other than the contract says';
drop index intake.run_one_running;
create unique index run_one_running on intake.run (source, stream, lane) where state = 'running';

alter table intake.cursor
    alter column position drop not null,
    add column sequence bigint,
    add constraint cursor_by_time_or_sequence check (num_nonnulls(position, sequence) = 1);
comment on table intake.cursor is
    'the latest statement time, or the highest sequence, seen in full; the next window starts an overlap below it';

alter table intake.checkpoint
    add column lane text not null default 'live' check (lane in ('live', 'backfill')),
    add column high_sequence bigint,
    add column shown_until timestamptz,
    drop constraint checkpoint_pkey,
    add primary key (source, stream, lane);
alter table intake.checkpoint alter column lane drop default;
comment on column intake.checkpoint.shown_until is
    'latest statement time of a snapshot''s own records; of what was stated later it says nothing';

alter table intake.rejected
    add column kind text not null default 'records' check (kind in ('records', 'deletions')),
    add column stated_at timestamptz;
alter table intake.rejected alter column kind drop default;
comment on column intake.rejected.kind is 'what the page listed: records, or tombstones of records deleted';
comment on column intake.rejected.stated_at is 'when the source stated it; null where that cannot be read';
drop index intake.rejected_once;
create unique index rejected_once on intake.rejected (source, stream, kind, digest);

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
comment on table intake.drift is 'how records differ from their contract where they land nevertheless; names and types, never values';
comment on column intake.drift.found is 'JSON type of the value, or absent';
comment on column intake.drift.records is 'how many records showed it, counted at every reading';
