create or replace function share.agreeing_sources(person uuid, attributes text[])
    returns table (attribute text, sources bigint)
    language sql stable security definer set search_path = '' as $$
    select wanted.attribute, count(distinct k.source)
    from unnest(attributes) as wanted (attribute)
    cross join truth.link k
    join record.person r using (source, stream, source_key)
    where k.person_key = person and r.deleted_at is null and to_jsonb(r) ->> wanted.attribute is not null
        and not exists (
            select from truth.discrepancy d
            where (d.source, d.stream, d.source_key) = (k.source, k.stream, k.source_key)
                and d.attribute = wanted.attribute and d.closed_at is null and d.kind <> 'form'
        )
    group by wanted.attribute
$$;
comment on function share.agreeing_sources is
    'how many sources state the golden value of a person''s attributes; differences in form alone do not count';
revoke execute on function share.agreeing_sources from public;
