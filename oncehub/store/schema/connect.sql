-- When each source may be asked again, for all processes that read it.
create schema connect;

create unlogged table connect.rate_limit (
    source          text primary key,
    next_at         timestamptz not null,
    suspended_until timestamptz
) with (fillfactor = 10);
comment on table connect.rate_limit is
    'the rate limit of requests to a source, shared by all processes; empty again after a crash of the server';
comment on column connect.rate_limit.next_at is
    'when the bucket of tokens is full again; each request moves it on by one interval';
comment on column connect.rate_limit.suspended_until is 'until when the source asked to wait';
