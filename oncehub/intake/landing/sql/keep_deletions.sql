-- Also of records that never came: an older statement of them may still come.
insert into intake.record_state as state (source, stream, source_key, stated_at, deletion)
select %(source)s, %(stream)s, source_key, max(stated_at), 'stated'
from pg_temp.tombstone
group by source_key
on conflict (source, stream, source_key)
do update set stated_at = excluded.stated_at, deletion = 'stated'
where excluded.stated_at >= state.stated_at
    and (state.stated_at, state.deletion) is distinct from (excluded.stated_at, excluded.deletion)
