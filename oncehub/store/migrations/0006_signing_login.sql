-- Signing the access log has a login of its own, which reads the log and adds checkpoints, and no more.
do $$
begin
    if not exists (select from pg_roles where rolname = 'oncehub_signing') then
        create role oncehub_signing login noinherit;
    end if;
end
$$;
grant select on public.oncehub_migration to oncehub_signing;

grant usage on schema hub to oncehub_signing;
grant select on hub.history to oncehub_signing;
grant select, insert (use, id, fingerprint) on hub.key to oncehub_signing;
grant select on sequence hub.transaction_offset to oncehub_signing;

grant usage on schema audit to oncehub_signing;
grant select on audit.entry to oncehub_signing;
grant select, insert on audit.checkpoint to oncehub_signing;
