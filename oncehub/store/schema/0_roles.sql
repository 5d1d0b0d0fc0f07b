-- The API logs in as this role, which owns nothing and inherits nothing: if somebody gets it to run SQL of
-- their own, they reach only what is granted below each table, and through an agreement's role what that
-- agreement may see.
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

-- How many letters two names differ by.
create extension if not exists fuzzystrmatch schema public;
