-- Which keys the hub has used: one that is lost, or another hub's, is noticed before it is used.
create table hub.key (
    use         text not null,
    id          text not null,
    fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
    noted_at    timestamptz not null default clock_timestamp(),
    primary key (use, fingerprint)
);
comment on table hub.key is 'the keys in use, noted when each was used first; no key is in the database';
comment on column hub.key.use is 'data, pseudonym or signing';
comment on column hub.key.id is 'by which messages name it: of a key of the ring its id, else the begin of its fingerprint';
comment on column hub.key.fingerprint is 'HMAC-SHA-256 of a fixed text under the key';
grant select, insert (use, id, fingerprint) on hub.key to oncehub_api;
