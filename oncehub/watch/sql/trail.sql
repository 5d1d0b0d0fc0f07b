-- Landings, the reconcile runs that took them in, and the releases of feeds that these runs' changes came
-- with. A landing that changed no record, and a release of consents alone, stand by themselves.
with reconciled as (
    select
        taken.landing as landing_id,
        run.run_id as reconcile_id,
        run.closed_at as reconciled_at,
        run.started_by as reconciled_by
    from truth.run
    left join truth.run_landing as taken using (run_id)
),

released as (
    select
        run_id as reconcile_id,
        release.release_id,
        release.feed,
        release.first_sequence,
        release.last_sequence,
        release.released_at,
        release.started_by as released_by
    from share.release
    left join lateral unnest(release.runs) as run (run_id) on true
),

trail as (
    select
        'landing-' || landing.run_id as landing,
        landing.source || '.' || landing.stream as stream,
        landing.state,
        landing.started_at as landed_at,
        landing.started_by as landed_by,
        'reconcile-' || reconcile_id as reconcile,
        reconciled_at,
        reconciled_by,
        'release-' || release_id as release,
        feed,
        first_sequence,
        last_sequence,
        released_at,
        released_by
    from intake.run as landing
    full join reconciled on landing.run_id = reconciled.landing_id
    full join released using (reconcile_id)
)

select *
from trail
where
    %(run)s is null
    or %(run)s in (landing, reconcile, release, landed_by, reconciled_by, released_by)
    or feed || ':' || %(line)s = %(run)s and %(line)s between first_sequence and last_sequence
order by coalesce(released_at, reconciled_at, landed_at) desc, landing desc, release desc
limit %(limit)s
