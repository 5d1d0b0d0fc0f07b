-- The limits of requests are counted here for all servers of the API. Until now each server counted in its
-- memory and asked the log where to go on from.
drop function if exists audit.entry_count(text, timestamptz);
-- Has another result now.
drop function if exists share.admitted(text, text);

create table share.request_limit (
    bucket text primary key check (length(bucket) <= 200),
    level  double precision not null,
    at     timestamptz not null,
    day    date not null,
    used   bigint not null
) with (fillfactor = 20);
comment on table share.request_limit is
    'token buckets and counts of the day, which only share.take_requests changes: of agreements, of clients, and of failed authentication';
comment on column share.request_limit.level is
    'requests that the bucket allowed at once, at the moment "at"';
comment on column share.request_limit.used is
    'requests of the day in Vietnam, "day"; includes those that a process has taken and may still make';
grant select on share.request_limit to oncehub_api;
create index client_agreement on share.client (agreement) where revoked_at is null;
