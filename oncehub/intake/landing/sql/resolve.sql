-- A rejected record whose time was unreadable may have been the older one, so any good version resolves it.
update intake.rejected set resolved_at = now()
from (
    select source_key, stated_at from pg_temp.stated
    union all
    select source_key, stated_at from pg_temp.tombstone
) as good
where rejected.source = %(source)s and rejected.stream = %(stream)s
    and rejected.source_key = good.source_key and rejected.resolved_at is null
    and (rejected.stated_at is null or rejected.stated_at <= good.stated_at)
