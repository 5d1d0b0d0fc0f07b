-- The API's login may call no function that locks by a key of its choice: with those it could hold up what
-- the hub does alone. These take the two locks that its transactions need. What they call is qualified, so
-- they need no search path of their own, which would take longer than the lock.
create or replace function hub.begin_reading() returns void
    language plpgsql volatile security definer as $$
begin
    perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended('oncehub readers', 0));
end
$$;
comment on function hub.begin_reading is
    'begins each transaction of the API: a change of schema is before it or after it';
revoke execute on function hub.begin_reading from public;
grant execute on function hub.begin_reading to oncehub_api;

create or replace function hub.use_keys() returns void
    language plpgsql volatile security definer as $$
begin
    perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended('keys in use', 0));
end
$$;
comment on function hub.use_keys is 'begins what encrypts or copies values: no key is retired until it ends';
revoke execute on function hub.use_keys from public;
grant execute on function hub.use_keys to oncehub_api;
