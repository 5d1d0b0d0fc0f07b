-- A response that is given once more is the same; of two in one request the last counts.
select g.notice, g.response, g.reason
from (
    select distinct on (notice) *
    from unnest(%(notices)s::bigint[], %(responses)s::text[], %(reasons)s::text[])
        with ordinality as given (notice, response, reason, number)
    order by notice asc, number desc
) g
left join lateral (
    select r.response, r.reason from share.notice_response r
    where r.source = %(source)s and r.notice = g.notice
    order by r.response_id desc
    limit 1
) before on true
where (g.response, g.reason) is distinct from (before.response, before.reason)
order by g.notice
