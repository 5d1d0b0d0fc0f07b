-- One statement, hence one snapshot, as in feeds: transactions that were still open when it began wait for
-- the next step. The last entry about a discrepancy says what the source has received. A source value that
-- was only stated again makes no entry, nor does a discrepancy that opened and closed between two runs. A
-- record whose link was refused belongs to another person than the one with the number, so its notice
-- contains only the record's own value. A notice of a duplicate has no golden value.
-- The entry that closes a discrepancy contains how long it was open, also since its first entry was fetched:
-- that is the earliest offset at its number or beyond. Offsets and entries are merged in order, from the end,
-- because a join would compare each with each.
with fresh as materialized (
    select d.*, 'person.' || d.attribute as qualified, {is_inside} as inside
    from truth.discrepancy d join share.correction_feed f using (source)
    where d.source = %(source)s
        and (d.changed_in >= f.published_below {or_moved})
        and d.changed_in < (select hub.transaction_horizon())
        and 'person.' || d.attribute = any(%(attributes)s)
),
state as (
    select f.discrepancy_id, f.changed_in, f.qualified, f.opened_at, e.closed_at,
        case
            when f.closed_at is null and not f.inside then 'outside_agreement' else f.closed_because
        end as closed_because,
        jsonb_build_object(
            'kind', f.kind,
            'record', jsonb_build_object('stream', f.stream, 'key', f.source_key),
            'attribute', f.qualified,
            'source_value', f.source_value,
            'stated_at', f.stated_at,
            'golden_value', w.believed,
            'asserted_by', w.asserted_by,
            'opened_at', f.opened_at,
            'closed_at', e.closed_at
        ) as line
    from fresh f
    left join truth.person p using (person_key)
    cross join lateral (
        select coalesce(f.closed_at, case when not f.inside then now() end) as closed_at
    ) e
    cross join lateral (
        select
            case when tellable then f.golden_value end as believed,
            case when tellable and f.golden_value is not null and f.kind <> 'duplicate'
                then jsonb_build_object(
                'source', truth.origin(p.provenance, f.attribute) -> 'source', 'as_of', f.as_of
            ) end as asserted_by
        from (
            select f.inside and f.kind <> 'wrong_person' and f.qualified <> all(%(withheld)s) as tellable
        ) t
    ) w
),
sent as (
    select s.*, t.notice, t.line as old, coalesce(t.change <> 'closed', false) as open
    from state s left join lateral (
        select n.notice, n.change, n.line
        from share.notice n
        where n.source = %(source)s and n.discrepancy_id = s.discrepancy_id
        order by n.sequence desc
        limit 1
    ) t on true
),
line as (
    select *, row_number() over (order by changed_in, discrepancy_id) as number
    from sent
    where case
        when closed_at is not null or not open then open or closed_at is null
        else (old - '{{stated_at,asserted_by}}'::text[], old #> '{{asserted_by,source}}')
            is distinct from (line - '{{stated_at,asserted_by}}'::text[], line #> '{{asserted_by,source}}')
    end
),
timed as (
    select *,
        min(at) filter (where kind = 'fetched') over reached as fetched_at,
        min(at) filter (where kind = 'acknowledged') over reached as acknowledged_at
    from (
        select number, notice, discrepancy_id, qualified, open, opened_at, closed_at, closed_because, line,
            null as kind, null::timestamptz as at
        from line
        union all
        select null, r.sequence, null, null, null, null, null, null, null, r.kind, r.at
        from share.consumer_offset r
        where r.feed = %(feed)s
            and r.sequence >= (select min(notice) from line where closed_at is not null)
    ) step
    window reached as (order by notice desc)
),
published as (
    insert into share.notice (source, sequence, notice, discrepancy_id, change, attribute, person_key, line)
    select f.source, f.last_sequence + t.number, coalesce(t.notice, f.last_sequence + t.number),
        t.discrepancy_id,
        case when t.closed_at is not null then 'closed' when t.open then 'changed' else 'opened' end,
        t.qualified,
        (
            select d.person_key from truth.discrepancy d
            where d.discrepancy_id = t.discrepancy_id and t.line ->> 'kind' <> 'wrong_person'
        ),
        t.line || case when t.closed_at is null then '{{}}' else jsonb_build_object(
            'closed_because', t.closed_because,
            'resolution_times', jsonb_build_object(
                'since_opened', extract(epoch from t.closed_at - t.opened_at)::bigint,
                'since_fetched', case when t.fetched_at <= t.closed_at
                    then extract(epoch from t.closed_at - t.fetched_at)::bigint
                end,
                'since_acknowledged', case when t.acknowledged_at <= t.closed_at
                    then extract(epoch from t.closed_at - t.acknowledged_at)::bigint
                end
            )
        ) end
    from timed t cross join share.correction_feed f
    where f.source = %(source)s and t.number is not null
    order by t.number
)
update share.correction_feed set
    published_below = (select hub.transaction_horizon()),
    last_sequence = last_sequence + (select count(*) from line),
    published_at = now()
where source = %(source)s
