create or replace function audit.entry_count(counted_agreement text, since timestamptz) returns bigint
    language sql stable security definer set search_path = ''
    return (select count(*) from audit.entry where agreement = counted_agreement and at >= since);
comment on function audit.entry_count is
    'lets the API keep an agreement''s daily limit without being able to read the log';
revoke execute on function audit.entry_count from public;
grant execute on function audit.entry_count to oncehub_api;
