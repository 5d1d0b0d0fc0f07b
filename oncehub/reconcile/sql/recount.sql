-- What the books say, held against the tables at one moment; only what differs.
with counted as (
    select 'discrepancy' as subject, source, kind, count(*) as counted
    from truth.discrepancy
    where closed_at is null
    group by source, kind
    union all
    select 'record', source, method, count(*) from truth.link group by source, method
    union all
    select 'record', source, 'unlinked', count(*) from truth.unlinked group by source
),
decided as (
    select source, stream, source_key from truth.link
    union all
    select source, stream, source_key from truth.unlinked
),
misplaced as (
    select
        source,
        case
            when live and times = 0 then 'undecided'
            when live and times > 1 then 'decided_twice'
            when not live and times > 0 then 'decided_though_gone'
        end as kind
    from (
        select source, stream, source_key, bool_or(live) as live, count(*) filter (where not live) as times
        from (
            select source, stream, source_key, true as live from record.person where deleted_at is null
            union all
            select source, stream, source_key, false from decided
        ) both_sides
        group by source, stream, source_key
    ) weighed
    where not exists (
        select from intake.dirty w
        where (w.source, w.stream, w.source_key) = (weighed.source, weighed.stream, weighed.source_key)
    )
)
select subject, source, kind, coalesce(standing, 0) as booked, coalesce(counted, 0) as counted
from truth.standing full join counted using (subject, source, kind)
where coalesce(standing, 0) <> coalesce(counted, 0)
union all
select 'record', source, kind, 0, count(*) from misplaced where kind is not null group by source, kind
order by subject, source, kind
