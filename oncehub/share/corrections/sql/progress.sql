with reached as (
    select
        g.source,
        coalesce(f.last_sequence, 0) as published,
        f.attributes,
        coalesce(max(r.sequence) filter (where r.kind = 'fetched'), 0) as fetched,
        coalesce(max(r.sequence) filter (where r.kind = 'acknowledged'), 0) as acknowledged
    from unnest(%s::text[]) as g (source)
    left join share.correction_feed f using (source)
    left join share.consumer_offset r on r.feed = 'corrections.' || g.source
    group by g.source, f.source
),
latest as (
    select distinct on (n.source, n.notice)
        n.source, n.notice, n.change, n.line ->> 'closed_because' as because,
        n.line -> 'resolution_times' as resolution_times
    from share.notice n join reached using (source)
    where n.attribute = any(attributes)
    order by n.source asc, n.notice asc, n.sequence desc
),
open as (
    select l.source, l.notice, o.published_at, said.response, l.notice <= r.acknowledged as acknowledged
    from latest l
    join reached r using (source)
    join share.notice o on o.source = l.source and o.sequence = l.notice
    left join (
        select distinct on (source, notice) source, notice, response
        from share.notice_response
        order by source asc, notice asc, response_id desc
    ) said on said.source = l.source and said.notice = l.notice
    where l.change <> 'closed'
),
standing as (
    select
        source,
        count(*) as open,
        count(*) filter (where acknowledged) as uncorrected,
        min(published_at) filter (where acknowledged) as oldest_uncorrected,
        count(*) filter (where response = 'accepted') as accepted,
        count(*) filter (where response = 'in_progress') as in_progress,
        count(*) filter (where response = 'rejected') as rejected
    from open
    group by source
),
corrected as (
    select
        source,
        count(*) as corrected,
        percentile_cont(0.5) within group (order by since_fetched) as median_days,
        percentile_cont(0.9) within group (order by since_fetched) as p90_days,
        percentile_cont(0.5) within group (order by since_opened) as median_days_open,
        percentile_cont(0.9) within group (order by since_opened) as p90_days_open
    from latest cross join lateral (
        select
            (resolution_times ->> 'since_fetched')::float / 86400 as since_fetched,
            (resolution_times ->> 'since_opened')::float / 86400 as since_opened
    ) t
    where change = 'closed' and because = 'corrected'
    group by source
)
select
    r.source, coalesce(s.open, 0) as open, r.published, r.fetched, r.acknowledged,
    (
        select n.published_at from share.notice n
        where n.source = r.source and n.sequence > r.acknowledged and n.attribute = any(r.attributes)
        order by n.sequence
        limit 1
    ) as oldest_unacknowledged,
    coalesce(s.uncorrected, 0) as uncorrected, s.oldest_uncorrected,
    coalesce(s.accepted, 0) as accepted, coalesce(s.in_progress, 0) as in_progress,
    coalesce(s.rejected, 0) as rejected, coalesce(c.corrected, 0) as corrected,
    c.median_days, c.p90_days, c.median_days_open, c.p90_days_open
from reached r left join standing s using (source) left join corrected c using (source)
order by r.source
