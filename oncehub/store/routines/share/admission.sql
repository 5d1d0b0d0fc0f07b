-- Every request calls this: a function's statement is planned once a session.
create or replace function share.admitted(asked_client text, asked_thumbprint text)
    returns table (agreement text, key_valid boolean, alone boolean)
    language plpgsql stable rows 1 as $$
begin
    return query
    select client.agreement, exists (
        select from share.client_key as key
        where key.client_id = client.client_id and key.thumbprint = asked_thumbprint
            and key.leaked_at is null and key.valid_from <= now() and now() < key.valid_until
    ), not exists (
        select from share.client as other
        where other.agreement = client.agreement and other.client_id <> client.client_id
            and other.revoked_at is null
    )
    from share.client as client
    where client.client_id = asked_client and client.revoked_at is null;
end
$$;
comment on function share.admitted is
    'the agreement of a client that is not revoked, whether the key is valid now, and whether the agreement has no other client';
revoke execute on function share.admitted from public;
grant execute on function share.admitted to oncehub_api;
