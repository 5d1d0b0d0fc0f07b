-- Returns one person's lines, the newest first, with their number, and nothing else of the log. The body is a
-- string rather than parsed in advance, so that tests can read its plan.
create or replace function audit.usage_of(
    asked_keys uuid[], asked_pseudonyms text[], asked_from timestamptz, asked_until timestamptz,
    asked_hiding text[], asked_hiding_since timestamptz[], asked_shown text[],
    asked_skip bigint, asked_limit bigint
) returns table (
    total bigint, logtime timestamptz, action text, agency text, client_id text, agreement text, purpose text,
    legal_basis text, procedure text, attributes text[], outcome text, involvement text, log text,
    log_index bigint
)
    language sql stable security definer set search_path = '' as $$
with hiding as (
    select h.agreement, min(h.since) as since
    from unnest(asked_hiding, asked_hiding_since) h (agreement, since)
    group by h.agreement
),
page as (
    select e.entry_id, array_agg(distinct t.attribute order by t.attribute)
            filter (where t.attribute is not null) as disclosed
    from share.disclosed_person t
    join audit.entry e
        on e.first_sequence is not null
        and int8range(e.first_sequence, e.last_sequence, '[]') @> t.sequence and e.feed = t.feed
        -- A notice about an attribute that had left the agreement was not sent.
        and (t.attribute is null or t.attribute = any(e.attributes))
    where t.person_key = any(asked_keys) and (
        e.outcome <> 'opened' or not exists (
            select from audit.entry as final
            where final.first_sequence is not null and final.feed = t.feed
                and int8range(final.first_sequence, final.last_sequence, '[]') @> t.sequence
                and final.request_id = e.request_id and final.outcome <> 'opened'
        )
    )
    group by e.entry_id
),
found as (
    select e.*, e.attributes as released, coalesce(e.involvement, 'consulted') as involved
    from audit.entry e
    where e.person = any(asked_pseudonyms) and e.at >= asked_from and e.at < asked_until
        -- A request that was opened has another line, unless its process was ended.
        and (e.outcome <> 'opened' or not exists (
            select from audit.entry as final
            where final.person = e.person and final.at >= e.at and final.at < e.at + interval '10 minutes'
                and final.request_id = e.request_id and final.outcome <> 'opened'
        ))
    union all
    select e.*, coalesce(p.disclosed, e.attributes), 'appeared'
    from page p join audit.entry e using (entry_id)
    where e.at >= asked_from and e.at < asked_until
),
visible as (
    select f.*
    from found f
    where (f.hidden_by is null or f.agreement = any(asked_shown))
        and not exists (select from hiding h where h.agreement = f.agreement and f.at >= h.since)
        -- The request that asks has its line when it is answered.
        and f.request_id not in (
            select a.request_id from share.asked as a where a.opened_in = pg_current_xact_id_if_assigned()
        )
)
select
    (select count(*) from visible), v.at, v.action, v.agency, v.client_id, v.agreement,
    v.purpose, v.legal_basis,
    v.procedure, v.released, case v.outcome when 'opened' then 'answered' else v.outcome end, v.involved,
    case when leaf.index is not null then (
        select split_part(c.note, e'\n', 1) from audit.checkpoint c order by c.number desc limit 1
    ) end,
    leaf.index
from (select) always
left join lateral (
    select * from visible order by at desc, entry_id desc offset asked_skip limit asked_limit
) v on true
left join audit.leaf on leaf.entry_id = v.entry_id
order by v.at desc, v.entry_id desc
$$;
comment on function audit.usage_of is
    'what a citizen sees of the log; asked_hiding: agreements whose lines since a moment are hidden by law now; asked_shown: agreements whose lines are no longer hidden; log, log_index: where a signed line stands in the tree, by the name of the last checkpoint';
revoke execute on function audit.usage_of from public;
