-- Approved correction requests, in the sequence of the notices to the source that states the value. Such a
-- notice is of kind correction_request: it contains the source's value, and the value that the citizen
-- claims in place of the golden value. It closes when the golden value is the claimed one, or when clerks
-- reject the request after all. The last entry about a request says what the source has received.
with line as (
    select c.case_id, c.person_key, q.name as qualified, c.closed_at, sent.notice,
        row_number() over (order by u.decision_id) as number,
        jsonb_build_object(
            'kind', 'correction_request',
            'record', jsonb_build_object('stream', c.stream, 'key', c.source_key),
            'attribute', q.name,
            'source_value', coalesce(to_jsonb(r) -> (c.evidence ->> 'attribute'), c.evidence -> 'believed'),
            'stated_at', coalesce(r.stated_at, c.opened_at),
            'golden_value', case when q.name <> all(%(withheld)s) then c.evidence -> 'claimed' end,
            'asserted_by', case when q.name <> all(%(withheld)s)
                then jsonb_build_object('source', 'citizen', 'as_of', c.opened_at)
            end,
            'opened_at', u.decided_at,
            'closed_at', c.closed_at
        ) || case when c.closed_at is null then '{{}}' else jsonb_build_object(
            'closed_because', case c.closed_because when 'corrected' then 'corrected' else 'override' end,
            'resolution_times', jsonb_build_object(
                'since_opened', extract(epoch from c.closed_at - u.decided_at)::bigint,
                'since_fetched', null, 'since_acknowledged', null
            )
        ) end as line
    from truth.case_file c
    join truth.decision u on u.decision_id = c.approved_by
    cross join lateral (select 'person.' || (c.evidence ->> 'attribute') as name) q
    left join record.person r
        on (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key) and r.deleted_at is null
    left join lateral (
        select n.notice, n.change from share.notice n
        where n.case_id = c.case_id
        order by n.sequence desc
        limit 1
    ) sent on true
    where c.kind = 'correction_request' and c.source = %(source)s and q.name = any(%(attributes)s)
        and case when c.closed_at is null then sent.change is null else sent.change = 'opened' end
),
published as (
    insert into share.notice (source, sequence, notice, case_id, change, attribute, person_key, line)
    select f.source, f.last_sequence + l.number, coalesce(l.notice, f.last_sequence + l.number), l.case_id,
        case when l.closed_at is null then 'opened' else 'closed' end, l.qualified, l.person_key, l.line
    from line l cross join share.correction_feed f
    where f.source = %(source)s
)
update share.correction_feed set
    last_sequence = last_sequence + (select count(*) from line),
    published_at = now()
where source = %(source)s and exists (select from line)
