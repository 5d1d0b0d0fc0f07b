-- A client has several keys, so that one follows another without a gap; and the key that signs tokens may change.
create table share.consumer_key (
    client_id   text not null references share.consumer,
    thumbprint  text not null check (thumbprint ~ '^[A-Za-z0-9_-]{43}$'),
    public_key  jsonb not null,
    valid_from  timestamptz not null default now(),
    valid_until timestamptz not null,
    added_at    timestamptz not null default now(),
    leaked_at   timestamptz,
    primary key (client_id, thumbprint)
);
comment on table share.consumer_key is
    'the public JWKs (RFC 7517) that a client''s assertions are verified with; a retired key is one whose validity has been cut short';
comment on column share.consumer_key.thumbprint is 'RFC 7638, SHA-256: what an assertion names as kid, and a token as key';
comment on column share.consumer_key.leaked_at is 'known to others since: neither valid nor ever to be registered again';
create index consumer_key_thumbprint on share.consumer_key (thumbprint);

-- Keys registered so far are good for a year from now, the lifetime that a new one has.
insert into share.consumer_key (client_id, thumbprint, public_key, valid_from, valid_until, added_at)
select
    client_id,
    rtrim(translate(encode(sha256(convert_to(
        case public_key ->> 'kty'
            when 'OKP' then format('{"crv":"%s","kty":"OKP","x":"%s"}', public_key ->> 'crv', public_key ->> 'x')
            else format(
                '{"crv":"%s","kty":"EC","x":"%s","y":"%s"}',
                public_key ->> 'crv', public_key ->> 'x', public_key ->> 'y'
            )
        end, 'UTF8'
    )), 'base64'), '+/', '-_'), '='),
    public_key, added_at, now() + interval '365 days', added_at
from share.consumer;

alter table share.consumer drop column public_key;
comment on table share.consumer is 'an agency''s client, and the agreement it acts under; its keys are in share.consumer_key';

grant select (client_id, thumbprint, public_key, valid_from, valid_until, leaked_at)
    on share.consumer_key to oncehub_api;

create table share.token_key (
    change_id   bigint generated always as identity primary key,
    fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
    signs_since timestamptz not null default clock_timestamp()
);
comment on table share.token_key is
    'each change of the key that signs tokens, so that the one before is not accepted for much longer than its tokens live; insert only';
comment on column share.token_key.fingerprint is 'HMAC-SHA256 of a fixed text by the key, which is kept elsewhere';
