-- What was purged, by which rule and how much, for whoever asks what became of it.
create table audit.purge (
    number    bigint primary key check (number > 0),
    kind      text not null,
    removed   bigint not null check (removed > 0),
    statement text not null,
    purged_at timestamptz not null default now()
);
comment on table audit.purge is
    'proof of each batch that was purged; insert only, each statement signed and holding the hash of the one before it';
comment on column audit.purge.statement is
    'JWS (RFC 7515): kind, rule, horizon, count, keyed digest over the keys of what was removed, when and by which run';
create trigger purge_insert_only before update or delete or truncate on audit.purge
    for each statement execute function audit.refuse_change();

comment on column share.delivery.line is
    'kind, changed attributes, values and as_of; sealed: the record that states each value that is sealed, without which it does not open; purged: the values are gone, for a later line has replaced them. The person''s pseudonym is added when it is read';
comment on column share.notice.line is
    'what was stated and believed; purged: that and the record''s key are gone, for the notice has closed or a later line says more';

-- What is due is found without reading whole tables.
create index rejected_resolved on intake.rejected (resolved_at) where resolved_at is not null;
create index discrepancy_closed on truth.discrepancy (closed_at) where closed_at is not null;
create index notice_lines on share.notice (source, notice, sequence);
create index assertion_expired on share.assertion (expires_at);
