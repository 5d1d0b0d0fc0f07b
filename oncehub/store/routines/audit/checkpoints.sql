create or replace function audit.oldest_unsigned() returns timestamptz
    language sql stable security definer set search_path = ''
    return (
        select at from audit.entry
        where
            transaction >= coalesce((select horizon from audit.checkpoint order by number desc limit 1), '0')
        order by transaction, entry_id
        limit 1
    );
comment on function audit.oldest_unsigned is
    'lets the API stop before the log goes unsigned for too long, without being able to read it';
revoke execute on function audit.oldest_unsigned from public;
grant execute on function audit.oldest_unsigned to oncehub_api, oncehub_signing;
