select
    coalesce(listed.source_key, state.source_key) as source_key,
    case
        when state.source_key is null then 'missing'
        when listed.source_key is null then 'superfluous'
        when listed.kind = 'deleted' then 'superfluous'
        when state.stated_at < listed.stated_at then 'outdated'
    end as finding
from pg_temp.listed
full join (
    select record_state.source_key, record_state.stated_at
    from intake.record_state
    where
        record_state.source = %(source)s
        and record_state.stream = %(stream)s
        and record_state.deletion is null
) as state on listed.source_key = state.source_key
where
    (listed.kind = 'live' and (state.source_key is null or state.stated_at < listed.stated_at))
    or (listed.kind = 'deleted' and state.stated_at <= listed.stated_at)
    or listed.source_key is null
order by finding, source_key
