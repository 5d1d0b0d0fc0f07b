-- How far each agency has come with what it is told, and what a source answers to its notices.

alter table audit.entry
    drop constraint entry_action_check,
    add constraint entry_action_check check (action ~ '^[a-z_]+$');
comment on column audit.entry.action is 'one of those that oncehub/audit/log/entries.py lists';

alter table share.correction_feed add column withheld text[] not null default '{}';
comment on column share.correction_feed.attributes is
    'the attributes it was last published with: where the agreement has gained one, all is looked at again';
comment on column share.correction_feed.withheld is
    'those of them of which only that they differ was told, not what is believed';

create table share.receipt (
    feed      text not null,
    kind      text not null check (kind in ('fetched', 'acknowledged')),
    sequence  bigint not null check (sequence > 0),
    client_id text not null references share.consumer,
    at        timestamptz not null default now(),
    primary key (feed, kind, sequence, client_id)
);
comment on table share.receipt is
    'each step forward of a client: every line up to the sequence had been given out to its agency, or was acknowledged; insert only';
comment on column share.receipt.feed is 'a feed, or corrections.<source>';

create table share.notice_reading (
    reading_id bigint generated always as identity primary key,
    source     text not null,
    notice     bigint not null,
    client_id  text not null references share.consumer,
    reading    text not null check (reading in ('accepted', 'in_work', 'rejected')),
    reason     text check (reason in ('documented', 'other_person', 'not_kept')),
    at         timestamptz not null default now(),
    foreign key (source, notice) references share.notice (source, sequence),
    check ((reading = 'rejected') = (reason is not null))
);
comment on table share.notice_reading is 'what a source says of its notices; the latest counts; insert only';
comment on column share.notice_reading.reason is
    'documented: it holds a document that proves its value; other_person: its record speaks of somebody else; not_kept: the value is kept by another system';
create index notice_reading_latest on share.notice_reading (source, notice, reading_id desc);

grant select on share.correction_feed, share.notice, share.receipt, share.notice_reading to oncehub_api;
grant insert (feed, kind, sequence, client_id) on share.receipt to oncehub_api;
grant insert (source, notice, client_id, reading, reason) on share.notice_reading to oncehub_api;
grant select (discrepancy_id, severity) on truth.open_discrepancy to oncehub_api;
