create or replace function entitled.feed_lines(after bigint, lines bigint)
    returns table (sequence bigint, person_key uuid, line jsonb, names text[])
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    e share.entitlement := share.open_as('feed');
begin
    return query
    select
        d.sequence, d.person_key,
        d.line || jsonb_build_object(
            'changed', (
                select coalesce(jsonb_agg(changed.name order by changed.place), '[]')
                from jsonb_array_elements_text(d.line -> 'changed') with ordinality as changed (name, place)
                where changed.name = any(standing.names)
            ),
            'values', (
                select coalesce(jsonb_object_agg(each.key, each.value), '{}')
                from jsonb_each(d.line -> 'values') as each
                where each.key = any(standing.names)
            ),
            'origins', (
                select coalesce(jsonb_object_agg(each.key, each.value), '{}')
                from jsonb_each(d.line -> 'origins') as each
                where each.key = any(standing.names)
            )
        ),
        standing.names
    from share.feed_entry as d
    join share.asked as a on d.sequence between a.first and a.last
    cross join lateral (select share.standing_names(e, d.person_key) as names) as standing
    where d.feed = e.feed and d.sequence > after
        and a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'feed'
    union all
    -- Beyond the page there is more, of which nothing is told but that.
    (
        select beyond.sequence, null, null, null
        from share.feed_entry as beyond
        where beyond.feed = e.feed and beyond.sequence > (
            select a.last from share.asked as a
            where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'feed'
        )
        order by beyond.sequence
        limit 1
    )
    order by 1
    limit lines;
end
$$;
comment on function entitled.feed_lines is
    'entries of the agreement''s feed, of the page that was asked for, without attributes that may no longer be disclosed';

create or replace function entitled.correction_feed_rows() returns table (last_sequence bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select f.last_sequence
    from share.correction_feed as f
    where f.source in ((share.open_as('corrections')).source, (share.open_as('acknowledgement')).source)
$$;

create or replace view entitled.correction_feed as
select last_sequence from entitled.correction_feed_rows();
comment on view entitled.correction_feed is 'the last notice published to the agency''s own source';

create or replace function entitled.notice_rows() returns table (
    sequence bigint, notice bigint, change text, attribute text, person_key uuid, severity text,
    outside boolean, line jsonb
)
    language sql stable security definer rows 1000 set search_path = pg_catalog, pg_temp as $$
    select
        notice.sequence, notice.notice, notice.change, notice.attribute, notice.person_key,
        open_discrepancy.severity, gone.outside,
        case
            when notice.attribute = any(e.attributes) and notice.line ->> 'kind' <> 'wrong_person'
                and not gone.outside
            then notice.line
            else notice.line || '{"golden_value": null, "asserted_by": null}'
        end
    from share.asked as a
    join share.entitlement as e using (agreement)
    join share.notice as notice
        on notice.source = e.source and notice.attribute = any(e.noticed)
        and notice.sequence between a.first and a.last
    left join truth.open_discrepancy as open_discrepancy using (discrepancy_id)
    cross join lateral (
        select exists (  -- noqa: layout.functions, layout.spacing
            select from share.notice as later
            where later.source = notice.source and later.discrepancy_id = notice.discrepancy_id
                and later.sequence >= notice.sequence
                and later.line ->> 'closed_because' = 'outside_agreement'
        ) as outside
    ) as gone
    where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'corrections'
    union all
    -- Beyond the page there is more, of which nothing is told but that.
    (
        select beyond.sequence, null, null, beyond.attribute, null, null, null, null
        from share.asked as a
        join share.entitlement as e using (agreement)
        join share.notice as beyond
            on beyond.source = e.source and beyond.attribute = any(e.noticed) and beyond.sequence > a.last
        where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'corrections'
        order by beyond.sequence
        limit 1
    )
$$;

create or replace view entitled.notice as
select * from entitled.notice_rows();
comment on view entitled.notice is
    'the notices to the agency''s own source, of the page that was asked for, without what the agreement does not cover';
grant select on entitled.correction_feed, entitled.notice to oncehub_api;

revoke execute on all functions in schema entitled from public;
grant execute on all functions in schema entitled to oncehub_api;
