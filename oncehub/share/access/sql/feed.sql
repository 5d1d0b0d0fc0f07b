create function {schema}.feed_lines(after bigint, lines bigint)
    returns table (sequence bigint, person_key uuid, line jsonb, names text[])
    language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
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
                select coalesce(jsonb_object_agg(each.key, each.value), '{{}}')
                from jsonb_each(d.line -> 'values') as each
                where each.key = any(standing.names)
            ),
            'origins', (
                select coalesce(jsonb_object_agg(each.key, each.value), '{{}}')
                from jsonb_each(d.line -> 'origins') as each
                where each.key = any(standing.names)
            )
        ),
        standing.names
    from share.feed_entry d cross join lateral (select {names_of_line} as names) as standing
    where d.feed = {feed} and d.sequence > after
    order by d.sequence
    limit lines;
end
$$;
comment on function {schema}.feed_lines is
    'entries of the agreement''s feed, without attributes that may no longer be disclosed';
revoke execute on function {schema}.feed_lines from public;
grant execute on function {schema}.feed_lines to {role};
