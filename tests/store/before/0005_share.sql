-- What leaves the hub, to whom, and by what right.
create schema share;

create table share.change (
    change_id   bigint generated always as identity primary key,
    transaction xid8 not null default pg_current_xact_id(),
    person_key  uuid not null,
    kind        text not null check (kind in ('created', 'changed', 'removed')),
    attributes  text[] not null,
    occurred_at timestamptz not null default now()
);
comment on table share.change is
    'the outbox, written with the change it tells of; readers stop below the oldest transaction still open';
create index change_order on share.change (transaction, change_id);

create table share.feed (
    feed        text primary key,
    transaction xid8 not null default '0',
    change_id   bigint not null default 0,
    last_sequence bigint not null default 0,
    published_at timestamptz
);
comment on table share.feed is 'how far the outbox has been published to each feed, and the sequence of its last line';

create table share.delivery (
    feed       text not null references share.feed,
    sequence   bigint not null,
    person_key uuid not null,
    line       jsonb not null,
    published_at timestamptz not null default now(),
    primary key (feed, sequence)
);
create index delivery_person on share.delivery (feed, person_key, sequence desc);
comment on column share.delivery.line is
    'kind, changed attributes, values and as_of; the person''s pseudonym is added when it is read';
comment on column share.delivery.sequence is 'without gaps, in commit order: a consumer that kept its last sequence misses nothing';

create table share.consumer (
    client_id  text primary key,
    agreement  text not null,
    public_key jsonb not null,
    added_at   timestamptz not null default now(),
    revoked_at timestamptz
);
comment on table share.consumer is 'an agency''s client: the public JWK its assertions are verified with';

create table share.assertion (
    client_id  text not null references share.consumer,
    jti        text not null,
    expires_at timestamptz not null,
    primary key (client_id, jti)
);
comment on table share.assertion is 'assertions already used (RFC 7523 section 3, jti): none is accepted twice';
