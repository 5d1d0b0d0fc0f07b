-- The API logs in as this role, which owns nothing and inherits nothing: injected SQL reaches only what is
-- granted below each table, and through an agreement's role what that agreement covers.
do $$
begin
    if not exists (select from pg_roles where rolname = 'oncehub_api') then
        create role oncehub_api login noinherit;
    elsif exists (select from pg_roles
        where rolname = 'oncehub_api' and not (rolcanlogin and not rolinherit)) then
        alter role oncehub_api login noinherit;
    end if;
end
$$;
grant select on public.oncehub_migration to oncehub_api;

-- For the edit distance between names.
create extension if not exists fuzzystrmatch schema public;
