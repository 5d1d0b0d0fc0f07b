create or replace function audit.oldest_unsealed() returns timestamptz
    language sql stable security definer set search_path = ''
    return (
        select at from audit.entry
        where transaction >= coalesce((select horizon from audit.seal order by number desc limit 1), '0')
        order by transaction, entry_id
        limit 1
    );
comment on function audit.oldest_unsealed is
    'lets the API stop before the log goes unsealed for too long, without being able to read it';
revoke execute on function audit.oldest_unsealed from public;
grant execute on function audit.oldest_unsealed to oncehub_api;
