-- Correction notices: each source is told what it holds that disagrees with what is believed.

-- A discrepancy is its own outbox row: one column, written with whatever changes it, instead of a second table.
alter table truth.discrepancy add column changed_in xid8 not null default pg_current_xact_id();
comment on column truth.discrepancy.changed_in is
    'the transaction that opened or last changed it; who publishes stops below the oldest still open';
create index discrepancy_changed on truth.discrepancy (source, changed_in);

create function truth.mark_discrepancy() returns trigger
    language plpgsql as $$
begin
    new.changed_in := pg_current_xact_id();
    return new;
end
$$;
create trigger discrepancy_changed before update on truth.discrepancy
    for each row when (new.changed_in = old.changed_in) execute function truth.mark_discrepancy();

create table share.correction_feed (
    source          text primary key,
    attributes      text[] not null,
    published_below xid8 not null default '0',
    last_sequence   bigint not null default 0,
    published_at    timestamptz
);
comment on table share.correction_feed is 'how far each source has been told of the discrepancies of its records';
comment on column share.correction_feed.attributes is
    'the attributes it was last published with: where the agreement has gained one, all is looked at again';
comment on column share.correction_feed.published_below is
    'every transaction below this one has been published';

create table share.notice (
    source         text not null references share.correction_feed,
    sequence       bigint not null,
    notice         bigint not null,
    discrepancy_id bigint not null,
    change         text not null check (change in ('opened', 'changed', 'closed')),
    attribute      text not null,
    line           jsonb not null,
    published_at   timestamptz not null default now(),
    primary key (source, sequence)
);
comment on table share.notice is 'what each source was told of its discrepancies, a line each time one opened, changed or closed';
comment on column share.notice.sequence is 'without gaps, in commit order, as of share.delivery';
comment on column share.notice.notice is
    'the sequence of the discrepancy''s first line: the number that the source knows it by';
create index notice_discrepancy on share.notice (source, discrepancy_id, sequence desc);
