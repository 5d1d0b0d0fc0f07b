-- What roles other than the owners may do in this database, as `grant` words it: a row each. What everybody
-- has of a server's own objects since it was made is left out, but for functions with which any login could
-- hold up others; and so are functions that lend nobody's rights.
with hub_login as (
    select oid, rolname from pg_roles where rolname in ('oncehub_api', 'oncehub_signing')
),
owner as (
    select datdba as oid from pg_database where datname = current_database()
),
object as (
    select
        'pg_class'::regclass as class, r.oid, r.relnamespace as schema, r.relowner as owner, r.relacl as acl,
        format(
            '%s %I.%I', case r.relkind when 'S' then 'sequence' else 'table' end, n.nspname, r.relname
        ) as name
    from pg_class as r join pg_namespace as n on n.oid = r.relnamespace
    where r.relacl is not null
    union all
    select
        'pg_proc'::regclass, p.oid, p.pronamespace, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner)),
        format(
            '%s %I.%I(%s)', case p.prokind when 'p' then 'procedure' else 'function' end, n.nspname,
            p.proname, oidvectortypes(p.proargtypes)
        )
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
    union all
    select
        'pg_namespace'::regclass, n.oid, n.oid, n.nspowner, n.nspacl, format('schema %I', n.nspname)
    from pg_namespace as n
    where n.nspacl is not null
    union all
    select
        'pg_database'::regclass, d.oid, null, d.datdba, coalesce(d.datacl, acldefault('d', d.datdba)),
        format('database %I', d.datname)
    from pg_database as d
    where d.datname = current_database()
    union all
    select 'pg_parameter_acl'::regclass, p.oid, null, 10, p.paracl, format('parameter %I', p.parname)
    from pg_parameter_acl as p
),
-- By locks of any key, large objects, messages to all sessions and to the log of changes, snapshots that
-- others keep, and signals to sessions of the same login.
holding as (
    select p.oid
    from pg_proc as p
    where p.pronamespace = 'pg_catalog'::regnamespace and (
            p.proname ~ '^(pg_(try_)?advisory_|lo_|lo(read|write)$)'
            or p.proname in (
                'pg_cancel_backend', 'pg_export_snapshot', 'pg_logical_emit_message', 'pg_notify',
                'pg_terminate_backend'
            )
        )
),
given as (
    select
        object.class, object.oid, object.schema, object.owner, object.name, a.grantee, a.privilege_type,
        null as columns
    from object cross join lateral aclexplode(object.acl) as a
    union all
    select
        'pg_class'::regclass, r.oid, r.relnamespace, r.relowner, format('table %I.%I', n.nspname, r.relname),
        a.grantee, a.privilege_type, string_agg(quote_ident(t.attname), ', ' order by t.attnum)
    from pg_attribute as t
    join pg_class as r on r.oid = t.attrelid
    join pg_namespace as n on n.oid = r.relnamespace
    cross join lateral aclexplode(t.attacl) as a
    where not t.attisdropped
    group by r.oid, r.relnamespace, r.relowner, n.nspname, r.relname, a.grantee, a.privilege_type
),
-- Made with the server, or with an extension.
initial as (
    select i.classoid, i.objoid, a.grantee, a.privilege_type
    from pg_init_privs as i cross join lateral aclexplode(i.initprivs) as a
),
wording as (
    select
        format(
            '%s%s on %s to %s', lower(given.privilege_type), ' (' || given.columns || ')', given.name,
            case given.grantee when 0 then 'public' else given.grantee::regrole::text end
        ) as right
    from given left join pg_namespace as n on n.oid = given.schema
    where given.grantee <> given.owner and given.grantee <> (select oid from owner)
        and (
            given.class = 'pg_proc'::regclass and given.oid in (select oid from holding)
            or not exists (
                select from initial
                where (initial.classoid, initial.objoid, initial.grantee, initial.privilege_type)
                    = (given.class, given.oid, given.grantee, given.privilege_type)
            )
        )
        and case
            when given.class = 'pg_proc'::regclass and given.oid in (select oid from holding)
                then given.grantee = 0 or given.grantee in (select oid from hub_login)
            when n.nspname = 'information_schema' or given.class = 'pg_parameter_acl'::regclass
                then given.grantee in (select oid from hub_login)
            when given.grantee = 0 and given.class = 'pg_proc'::regclass
                then (
                    select
                        p.prosecdef and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
                    from pg_proc as p
                    where p.oid = given.oid
                )
            when starts_with(n.nspname, 'pg_')
                then given.grantee = 0 or given.grantee in (select oid from hub_login)
            else true
        end
    union all
    -- Who may become whom.
    select format('%I to %I', granted.rolname, member.rolname)
    from pg_auth_members as m
    join pg_roles as granted on granted.oid = m.roleid
    join pg_roles as member on member.oid = m.member
    where m.member <> (select oid from owner) and (
            m.member in (select oid from hub_login)
            or not member.rolsuper
            and (m.roleid in (select oid from hub_login) or m.roleid = (select oid from owner))
        )
    union all
    select format('%s %s', r.rolname, attribute.name)
    from pg_roles as r
    cross join lateral (
        values
            ('superuser', r.rolsuper), ('createrole', r.rolcreaterole), ('createdb', r.rolcreatedb),
            ('replication', r.rolreplication), ('bypassrls', r.rolbypassrls), ('inherit', r.rolinherit)
    ) as attribute (name, has)
    where r.oid in (select oid from hub_login) and attribute.has
    union all
    select format('ownership of %s to %s', pg_describe_object(d.classid, d.objid, d.objsubid), r.rolname)
    from pg_shdepend as d join hub_login as r on r.oid = d.refobjid
    where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
        and d.dbid in (0, (select oid from pg_database where datname = current_database()))
    union all
    select format(
        'default %s on %s to %s', lower(a.privilege_type),
        case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
            when 'n' then 'schemas' else 'types' end,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    )
    from pg_default_acl as d cross join lateral aclexplode(d.defaclacl) as a
    where a.grantee <> d.defaclrole
)
select wording.right from wording order by wording.right
