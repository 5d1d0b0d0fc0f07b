"""What a database's catalogue says, as texts that can be compared with another database's."""

from __future__ import annotations

from oncehub.store.connection import Connection

OURS = """nspname in ('audit', 'connect', 'intake', 'record', 'share', 'text', 'truth')"""

ACCESS = """
(
    select string_agg(acl::text, ' ' order by acl::text)
    from unnest(coalesce({given}, acldefault('{kind}', {owner}))) acl
)
"""

QUERIES = {
    "schemas": """
        select nspname, {schema_access}, obj_description(oid, 'pg_namespace') from pg_namespace
        where not nspname like 'pg\\_%' and nspname <> 'information_schema'
    """,
    "extensions": """
        select extname, nspname, extversion from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    """,
    "roles": """
        select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
            rolbypassrls, rolconnlimit, rolvaliduntil, rolconfig
        from pg_roles where rolname not like 'pg\\_%'
    """,
    "memberships": "select roleid::regrole, member::regrole, admin_option from pg_auth_members",
    "tables": """
        select oid::regclass, relkind, relpersistence, relispartition, relrowsecurity, relforcerowsecurity,
            relreplident, reloptions, pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), {class_access},
            obj_description(oid, 'pg_class')
        from pg_class where relkind in ('r', 'p', 'v', 'm', 'f') and {ours_class}
    """,
    "columns": """
        select c.oid::regclass, row_number() over (partition by c.oid order by a.attnum), a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
            a.attcompression, a.attstattarget, a.attoptions, a.attcollation::regcollation, a.attislocal,
            a.attacl, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and {ours_class}
    """,
    "constraints": """
        select conrelid::regclass, conname, contype, pg_get_constraintdef(oid), condeferrable, condeferred,
            convalidated, obj_description(oid, 'pg_constraint')
        from pg_constraint
        where connamespace in (select oid from pg_namespace where {ours})
    """,
    "indexes": """
        select i.indrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisunique, i.indisprimary,
            i.indisvalid, i.indisclustered, i.indisreplident, c.reloptions, obj_description(c.oid, 'pg_class')
        from pg_index i join pg_class c on c.oid = i.indexrelid where {ours_class}
    """,
    "sequences": """
        select s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin,
            s.seqcache, s.seqcycle, c.relpersistence, {class_access}
        from pg_sequence s join pg_class c on c.oid = s.seqrelid
    """,
    "functions": """
        select oid::regprocedure, pg_get_functiondef(oid), prosrc, provolatile, prosecdef, proleakproof,
            proparallel, proisstrict, procost, prorows, proconfig, {function_access}, obj_description(oid,
            'pg_proc')
        from pg_proc p where pronamespace in (select oid from pg_namespace where {ours})
    """,
    "triggers": """
        select t.tgrelid::regclass, pg_get_triggerdef(t.oid), t.tgenabled,
            obj_description(t.oid, 'pg_trigger')
        from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal and {ours_class}
    """,
    "rules": """
        select r.ev_class::regclass, pg_get_ruledef(r.oid), r.ev_enabled
        from pg_rewrite r join pg_class c on c.oid = r.ev_class where {ours_class}
    """,
    "views": """
        select oid::regclass, pg_get_viewdef(oid)
        from pg_class where relkind in ('v', 'm') and {ours_class}
    """,
    "policies": """
        select polrelid::regclass, polname, polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid),
            pg_get_expr(polwithcheck, polrelid)
        from pg_policy
    """,
    "types": """
        select oid::regtype, typtype, typcategory, typnotnull, obj_description(oid, 'pg_type')
        from pg_type where typnamespace in (select oid from pg_namespace where {ours})
    """,
    "default privileges": """
        select defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl
        from pg_default_acl
    """,
    "statistics": "select stxrelid::regclass, pg_get_statisticsobjdef(oid) from pg_statistic_ext",
    "event triggers": "select evtname, evtevent, evtfoid::regproc from pg_event_trigger",
    "casts and operators": """
        select 'operator', oid::regoperator::text from pg_operator
        where oprnamespace in (select oid from pg_namespace where {ours})
        union all
        select 'cast', castfunc::regprocedure::text from pg_cast
        where castfunc in (select oid from pg_proc where pronamespace in (select oid from pg_namespace where
            {ours}))
    """,
    "partitions": "select inhparent::regclass, inhrelid::regclass, inhseqno from pg_inherits",
}


def snapshot(database: Connection) -> dict[str, list[str]]:
    """Return each catalogue's rows as sorted lines, owners and rights included."""
    parts = {
        "ours": OURS,
        "ours_class": f"relnamespace in (select oid from pg_namespace where {OURS})",
        "schema_access": ACCESS.format(given="nspacl", kind="n", owner="nspowner"),
        "class_access": ACCESS.format(given="relacl", kind="r", owner="relowner"),
        "function_access": ACCESS.format(given="proacl", kind="f", owner="proowner"),
    }
    found = {}
    with database, database.cursor() as cursor:
        cursor.execute("set local search_path = ''")
        for name, query in QUERIES.items():
            cursor.execute(query.format(**parts))
            found[name] = sorted(map(repr, cursor.fetchall()))
    return found
