insert into pg_temp.listed (source_key, stated_at, kind)
select shown.source_key, shown.stated_at, shown.kind
from
    unnest(%(keys)s::text[], %(times)s::timestamptz[], %(kinds)s::text[])
        as shown (source_key, stated_at, kind)
on conflict (source_key) do update
    set stated_at = excluded.stated_at, kind = excluded.kind
    where
        listed.stated_at is null
        or excluded.stated_at >= listed.stated_at
