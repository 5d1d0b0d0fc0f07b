create or replace function audit.entry_count(counted_agreement text, since timestamptz) returns bigint
    language sql stable security definer set search_path = ''
    return (select count(*) from audit.entry where agreement = counted_agreement and at >= since);
comment on function audit.entry_count is
    'the number of an agreement''s entries, for its daily limit: the API cannot read the log';
revoke execute on function audit.entry_count from public;
grant execute on function audit.entry_count to oncehub_api;
