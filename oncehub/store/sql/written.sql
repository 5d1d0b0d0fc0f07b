-- Which transaction has written each function, trigger and rule last, and how a file that makes it begins;
-- and what no file makes: another owner, policies, and triggers on commands.
select 'function ' || oid::regprocedure,
    'function ' || pronamespace::regnamespace || '.' || proname || '(', xmin::text
from pg_proc
where pronamespace in (select to_regnamespace(unnest(%(schemas)s)))
union all
select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass, 'trigger ' || t.tgname || ' ', t.xmin::text
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgparentid = 0
    and c.relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
union all
select 'rule ' || r.rulename || ' on ' || c.oid::regclass, 'rule ' || r.rulename || ' ', r.xmin::text
from pg_rewrite r join pg_class c on c.oid = r.ev_class
where r.rulename <> '_RETURN' and c.relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
union all
select 'policy ' || p.polname || ' on ' || p.polrelid::regclass,
    'policy ' || p.polname || ' on ' || p.polrelid::regclass || ' ', p.xmin::text
from pg_policy p
union all
select 'row level security of ' || c.oid::regclass,
    'alter table ' || c.oid::regclass || case when c.relforcerowsecurity then ' force ' else ' enable ' end
    || 'row level security', ''
from pg_class c
where c.relrowsecurity or c.relforcerowsecurity
union all
select 'event trigger ' || e.evtname, 'event trigger ' || e.evtname || ' ', e.xmin::text
from pg_event_trigger e
union all
select holding, holding, ''
from (
    select 'function ' || oid::regprocedure, proowner
    from pg_proc where pronamespace in (select to_regnamespace(unnest(%(schemas)s)))
    union all
    select case relkind when 'v' then 'view ' else 'table ' end || oid::regclass, relowner
    from pg_class
    where relkind in ('r', 'p', 'v', 'm', 'f')
        and relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
    union all
    select 'schema ' || oid::regnamespace, nspowner
    from pg_namespace where oid in (select to_regnamespace(unnest(%(schemas)s)))
) owned (name, owner)
cross join lateral format('owner %%s of %%s', owned.owner::regrole, owned.name) holding
where owned.owner <> (select datdba from pg_database where datname = current_database())
