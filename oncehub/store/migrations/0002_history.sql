-- What the hub's database belongs to, and how its transactions are numbered. The numbers of a server's own
-- transactions begin anew where a dump is restored; the hub's go on, by an offset.
create schema hub;
grant usage on schema hub to oncehub_api;

create table hub.history (
    number            bigint primary key check (number > 0),
    epoch             uuid not null unique default gen_random_uuid(),
    system_identifier bigint not null,
    timeline          integer not null,
    database          oid not null,
    relation          oid not null,
    begun_at          timestamptz not null default now(),
    actor             text check (length(actor) between 1 and 200),
    reason            text check (length(reason) between 1 and 2000),
    check ((actor is null) = (reason is null))
);
comment on table hub.history is
    'the place at which the database was made and each at which it was adopted later; the last row counts; insert only';
comment on column hub.history.epoch is
    'given out with every page of a feed: numbers of another epoch may mean other entries';
comment on column hub.history.system_identifier is 'of the server''s files: another one for each initdb';
comment on column hub.history.timeline is 'of the server: another one after a failover or a recovery to an earlier moment';
comment on column hub.history.database is 'pg_database.oid: another one for a copy of the database';
comment on column hub.history.relation is 'pg_class.oid of this table: another one once a dump was restored';
comment on column hub.history.actor is 'who adopted it, and for which reason; null in the first row';
grant select on hub.history to oncehub_api;

-- A sequence, because a column's default can read it for a million rows in a second. It only grows, in the
-- transaction that adopts a database.
create sequence hub.transaction_offset minvalue 0 start 0;
select setval('hub.transaction_offset', 0);
grant select on sequence hub.transaction_offset to oncehub_api;

-- A function of the tables' defaults, hence here.
create function hub.transaction_number() returns xid8
    language sql volatile
    return (
        (pg_current_xact_id()::text::bigint + pg_sequence_last_value('hub.transaction_offset'))::text
    )::xid8;
comment on function hub.transaction_number is
    'the number of this transaction: it grows over all servers that the database has been on';

alter table share.change alter column transaction set default hub.transaction_number();
alter table audit.entry alter column transaction set default hub.transaction_number();
alter table truth.discrepancy alter column changed_in set default hub.transaction_number();
alter table truth.run_balance_entry alter column written_in set default hub.transaction_number();
