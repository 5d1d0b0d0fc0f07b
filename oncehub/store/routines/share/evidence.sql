create or replace function share.use_evidence(asked_digest bytea, asked_until timestamptz) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Of two that come at once the second waits for the first to commit.
    insert into share.used_evidence (digest, kept_until) values (asked_digest, asked_until)
    on conflict do nothing;
    if not found then
        return false;
    end if;
    -- A few at a time: each use forgets more than one, and waits for no other.
    delete from share.used_evidence
    where digest in (
        select old.digest from share.used_evidence old
        where old.kept_until < now()
        order by old.kept_until
        limit 8
        for update skip locked
    );
    return true;
end
$$;
comment on function share.use_evidence is
    'notes that evidence is used, and tells whether it had not been; forgets what would be refused for its age';
revoke execute on function share.use_evidence from public;
