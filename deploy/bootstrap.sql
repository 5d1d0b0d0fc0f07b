-- Makes the logins and databases of the hub and of Airflow. An administrator runs it, before the first start and
-- whenever a password has changed; repeating it changes nothing else. The passwords come from the environment:
--
--   export ONCEHUB_DATABASE_PASSWORD=… ONCEHUB_API_DATABASE_PASSWORD=… ONCEHUB_SIGNING_DATABASE_PASSWORD=… \
--       ONCEHUB_AIRFLOW_DATABASE_PASSWORD=…
--   psql -d postgres -f deploy/bootstrap.sql        as a superuser, on the server of the hub (PostgreSQL 17)
--
-- None of the logins is a superuser. Airflow's may not connect to the hub's database, nor the hub's to Airflow's.
\set ON_ERROR_STOP on
\set QUIET on
set client_min_messages = warning;
-- Statements with passwords stay out of the server's log.
set log_statement = none;
set log_min_duration_statement = -1;
set log_min_error_statement = panic;

\set hub ''
\set api ''
\set signing ''
\set airflow ''
\getenv hub ONCEHUB_DATABASE_PASSWORD
\getenv api ONCEHUB_API_DATABASE_PASSWORD
\getenv signing ONCEHUB_SIGNING_DATABASE_PASSWORD
\getenv airflow ONCEHUB_AIRFLOW_DATABASE_PASSWORD

create temporary table login (name text, attributes text, variable text, password text);
insert into login values
    -- It owns everything in the hub's database.
    ('oncehub', 'createrole', 'ONCEHUB_DATABASE_PASSWORD', :'hub'),
    ('oncehub_api', 'noinherit', 'ONCEHUB_API_DATABASE_PASSWORD', :'api'),
    ('oncehub_signing', 'noinherit', 'ONCEHUB_SIGNING_DATABASE_PASSWORD', :'signing'),
    ('airflow', '', 'ONCEHUB_AIRFLOW_DATABASE_PASSWORD', :'airflow');

do $$
declare
    each record;
begin
    for each in select * from login loop
        if each.password !~ '^[A-Za-z0-9_.~-]{12,}$' then
            raise exception '% must have 12 characters or more, all of them letters, digits, or - _ . ~', each.variable
                using detail = 'It is a part of URLs, where other characters have a meaning.',
                hint = 'Correct it and run this again (in containers: correct .env, then deploy/up); no data is lost.';
        end if;
    end loop;
    for each in select * from login loop
        if to_regrole(each.name) is null then
            execute format('create role %I', each.name);
        end if;
        execute format('alter role %I login nosuperuser nocreatedb %s password %L',
            each.name, each.attributes, each.password);
    end loop;
end
$$;
-- What the API asks holds personal data: it shows neither to other sessions nor in the server's log.
alter role oncehub_api set track_activities = off;
alter role oncehub_api set log_statement = none;
alter role oncehub_api set log_min_error_statement = panic;
alter role oncehub_api set log_min_duration_statement = -1;
alter role oncehub_api set log_min_duration_sample = -1;
alter role oncehub_api set log_transaction_sample_rate = 0;
alter role oncehub_api set log_parameter_max_length = 0;
alter role oncehub_api set log_parameter_max_length_on_error = 0;
alter role oncehub_api set log_error_verbosity = terse;
-- A session of the API keeps no lock for longer, and all of them together leave connections to others.
alter role oncehub_api set transaction_timeout = '30s';
select format('alter role oncehub_api connection limit %s', current_setting('max_connections')::integer * 3 / 5)
where (select rolconnlimit from pg_roles where rolname = 'oncehub_api') = -1
\gexec
-- The hub sets the passwords of its other logins (`oncehub init`), and ends transactions of the API that last too
-- long, which only a role with the API's rights may.
grant oncehub_signing to oncehub with admin option, inherit false, set false;
grant oncehub_api to oncehub with admin option, inherit true, set false;

-- Texts are compared byte by byte (docs/decisions/0002-text-folding-in-the-database.md).
select format(
    'create database %I owner %I template template0 encoding ''UTF8'' '
    'locale_provider builtin builtin_locale ''C.UTF-8'' locale ''C.UTF-8''', wanted.name, wanted.name)
from (values ('oncehub'), ('airflow')) as wanted (name)
where not exists (select from pg_database where datname = wanted.name)
\gexec
revoke connect, temporary on database oncehub, airflow from public;
grant connect on database oncehub to oncehub_api, oncehub_signing;

\connect oncehub
-- With these any login could hold up others: by locks of any key, large objects, messages to all sessions or to the
-- log of changes, snapshots that others keep, and signals to sessions of the same login.
select format('revoke execute on function %s from public; grant execute on function %1$s to oncehub', oid::regprocedure)
from pg_proc
where pronamespace = 'pg_catalog'::regnamespace and (
    proname ~ '^(pg_(try_)?advisory_|lo_|lo(read|write)$)'
    or proname in (
        'pg_cancel_backend', 'pg_export_snapshot', 'pg_logical_emit_message', 'pg_notify', 'pg_terminate_backend'
    )
)
\gexec
grant execute on function pg_try_advisory_lock(bigint), pg_try_advisory_xact_lock(bigint), pg_advisory_unlock(bigint)
    to oncehub_signing;
-- By these the hub notices that it works on a copy of its database. Some administrators revoke them from everybody.
grant execute on function pg_control_system(), pg_current_wal_lsn(), pg_walfile_name(pg_lsn)
    to oncehub, oncehub_api, oncehub_signing;
\echo 'bootstrap: the logins oncehub, oncehub_api, oncehub_signing and airflow, and two databases, are ready'
