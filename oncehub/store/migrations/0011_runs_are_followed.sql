-- What is needed to follow a record's run from its source to the feeds: landing, reconcile run, release.
alter table intake.run add column started_by text;
comment on column intake.run.started_by is
    'the DAG run of Airflow that began it, or took it up last: <dag>/<run>; null: a command';

alter table truth.run alter column closed_at drop not null;
alter table truth.run alter column closed_at drop default;
alter table truth.run add column started_by text;
comment on table truth.run is
    'runs of reconcile; each covers everything committed since the one before, including runs that were interrupted';
comment on column truth.run.closed_at is 'null: it goes on, or was interrupted, and the next run goes on with it';
comment on column truth.run.started_by is 'as in intake.run';
create unique index run_one_open on truth.run ((true)) where closed_at is null;

-- Finished runs are purged.
alter table truth.run_balance drop constraint run_balance_run_id_fkey;
alter table truth.run_balance add foreign key (run_id) references truth.run on delete cascade;

create table truth.run_landing (
    run_id  bigint not null references truth.run on delete cascade,
    landing bigint not null references intake.run on delete cascade,
    changed bigint not null,
    primary key (run_id, landing)
);
comment on table truth.run_landing is 'the landings (intake.run) of which a reconcile run took in records';
comment on column truth.run_landing.changed is
    'records that the landing had changed until then, so that what it changes later is noted with a later run';
create index run_landing_landing on truth.run_landing (landing, changed);

create table truth.run_transaction (
    transaction xid8 primary key default hub.transaction_number(),
    run_id      bigint not null references truth.run on delete cascade
);
comment on table truth.run_transaction is
    'the transactions of a reconcile run: share.change.transaction and truth.discrepancy.changed_in lead to the run';
create index run_transaction_run on truth.run_transaction (run_id);

create table share.release (
    release_id     bigint generated always as identity primary key,
    feed           text not null,
    first_sequence bigint not null,
    last_sequence  bigint not null,
    runs           bigint[] not null,
    started_by     text,
    released_at    timestamptz not null default now(),
    check (first_sequence <= last_sequence)
);
comment on table share.release is 'the lines that one publication added to a feed';
comment on column share.release.feed is 'a feed, or corrections.<source>';
comment on column share.release.runs is 'the reconcile runs (truth.run) whose changes it was made of';
comment on column share.release.started_by is 'as in intake.run';
create index release_line on share.release (feed, last_sequence);

-- Of runs before this migration their times are all that is known.
insert into truth.run_landing (run_id, landing, changed)
select run.run_id, landing.run_id, landing.accepted + landing.deleted
from intake.run as landing
cross join lateral (
    select run_id from truth.run where closed_at >= landing.finished_at order by run_id limit 1
) as run
where landing.accepted + landing.deleted > 0;
