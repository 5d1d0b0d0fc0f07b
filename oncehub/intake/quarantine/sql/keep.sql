-- A rejected record older than the stored statement is resolved at once, in whatever order the two came.
insert into intake.rejected (
    run_id, source, stream, source_key, kind, stage, reason, path, stated_at,
    digest, key_id, payload, resolved_at
)
select new.*, (
    select now() from intake.record_state as state
    where state.source = new.source and state.stream = new.stream and state.source_key = new.source_key
        and state.stated_at > new.stated_at
)
from (values %s) as new (
    run_id, source, stream, source_key, kind, stage, reason, path, stated_at, digest, key_id, payload
)
on conflict (source, stream, kind, digest) do update
set run_id = excluded.run_id, source_key = excluded.source_key, stage = excluded.stage,
    reason = excluded.reason, path = excluded.path, stated_at = excluded.stated_at,
    resolved_at = excluded.resolved_at
where (rejected.resolved_at is null) <> (excluded.resolved_at is null)
    or (rejected.source_key, rejected.stage, rejected.reason, rejected.path, rejected.stated_at)
        is distinct from
        (excluded.source_key, excluded.stage, excluded.reason, excluded.path, excluded.stated_at)
