-- When each source may be asked again, for all processes that read it.
create schema connect;

create unlogged table connect.pace (
    source     text primary key,
    next_at    timestamptz not null,
    held_until timestamptz
) with (fillfactor = 10);
comment on table connect.pace is 'the pace of requests to a source; where the server crashes it begins anew';
comment on column connect.pace.next_at is
    'when the bucket of tokens is full again; each request moves it on by one interval';
comment on column connect.pace.held_until is 'until when the source asked to be left alone';
