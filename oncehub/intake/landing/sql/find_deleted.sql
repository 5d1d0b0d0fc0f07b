insert into pg_temp.deleted
select distinct tombstone.source_key
from pg_temp.tombstone
where exists (
    select from intake.record_state as state
    where state.source = %(source)s and state.stream = %(stream)s and state.source_key = tombstone.source_key
        and state.deletion is null and state.stated_at <= tombstone.stated_at
    offset 0
)
