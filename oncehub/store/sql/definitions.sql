-- Every name is printed with its schema where no schema is searched. A partition has a copy of its table's
-- triggers, and partitions come later.
set local search_path = ''; select name, definition
from (
    select 'function ' || oid::regprocedure, pg_get_functiondef(oid)
    from pg_proc where prokind <> 'a' and pronamespace in (select to_regnamespace(unnest(%(schemas)s)))
    union all
    select 'view ' || oid::regclass, pg_get_viewdef(oid)
    from pg_class where relkind = 'v' and relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
    union all
    select 'options of view ' || oid::regclass, coalesce(reloptions::text, '')
    from pg_class where relkind = 'v' and relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
    union all
    select 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass,
        pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal and t.tgparentid = 0
        and c.relnamespace in (select to_regnamespace(unnest(%(schemas)s)))
) routine (name, definition)
order by definition
