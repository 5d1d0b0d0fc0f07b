-- Values are encrypted under data keys, which are kept here, wrapped under a key of the ring.
create table hub.data_key (
    id            text primary key,
    wrapped       bytea,
    wrapped_under text not null,
    former        boolean not null default false,
    made_at       timestamptz not null default clock_timestamp(),
    check (wrapped is not null or former)
);
create unique index data_key_primary on hub.data_key ((true)) where not former;
comment on table hub.data_key is
    'the keys that values are encrypted under; without the ring, which is not in the database, they open nothing';
comment on column hub.data_key.id is 'stands in each encrypted value';
comment on column hub.data_key.wrapped is
    'the key, wrapped (RFC 3394); null for a key of the ring that values of earlier versions are encrypted under itself';
comment on column hub.data_key.wrapped_under is 'id of the key of the ring that opens it';
comment on column hub.data_key.former is 'it only decrypts, until oncehub keys reencrypt has replaced it';
grant select on hub.data_key to oncehub_api;

insert into hub.data_key (id, wrapped_under, former)
select id, id, true from hub.key where use = 'data';
