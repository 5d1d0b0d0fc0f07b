-- How each new statement of a stored record compares with the stored one. A record that was only absent from
-- a snapshot lives again as the snapshot shows it, even where that is an earlier statement.
select new.source_key, case
    when state.deletion is distinct from 'absent' and (
        state.stated_at > new.stated_at or state.stated_at = new.stated_at and state.deletion = 'stated'
    ) then 'outdated'
    when state.deletion is null and state.stated_at = new.stated_at and state.fingerprint = new.fingerprint
        then 'unchanged'
    else 'restated'
end
from pg_temp.stated as new, lateral (
    select stated_at, deletion, fingerprint
    from intake.record_state as state
    where state.source = %(source)s and state.stream = %(stream)s and state.source_key = new.source_key
    offset 0
) as state
