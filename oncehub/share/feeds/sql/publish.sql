-- One statement, hence one snapshot. Changes of transactions that were still open when it began, and of
-- later ones, wait for the next step. What a consumer knows of a person is what the feed last said. A
-- person outside the agreement's population, or who consents to none of its attributes, counts as absent.
with fresh as materialized (
    select change.person_key, change.transaction, change.change_id, change.attributes
    from share.change, share.feed
    where feed.feed = %(feed)s
        and (change.transaction, change.change_id) > (feed.transaction, feed.change_id)
        and change.transaction < (select hub.transaction_horizon())
),
newest as (
    select distinct on (person_key) person_key, transaction, change_id
    from fresh
    order by person_key asc, transaction desc, change_id desc
),
stated as (
    select person_key, array_agg(distinct 'person.' || attribute) as changed
    from fresh cross join unnest(attributes) as attribute
    group by person_key
),
state as (
    select newest.*, person.person_key is not null as present, sent.values is not null as known,
        believed.values, person.provenance, merged_person.survivor,
        array(
            select name
            from unnest(entitled.names) as name
            where name = any(stated.changed)
                or sent.values is null and jsonb_typeof(believed.values -> name) <> 'null'
                or {by_consent} and not sent.values ? name
            order by name
        ) as changed,
        {by_consent} and not entitled.names @> array(select jsonb_object_keys(sent.values)) as fewer
    from newest
    left join stated using (person_key)
    cross join lateral (select {entitled} as names) as entitled
    left join truth.person
        on person.person_key = newest.person_key and {covered} and cardinality(entitled.names) > 0
    left join truth.merged_person on merged_person.person_key = newest.person_key
    cross join lateral (
        select case when person.person_key is not null then {values} end as values
    ) as believed
    left join lateral (
        select case when line ->> 'kind' <> 'removed' then line -> 'values' end as values
        from share.feed_entry
        where feed = %(feed)s and feed_entry.person_key = newest.person_key
        order by sequence desc
        limit 1
    ) as sent on true
),
line as (
    select person_key, row_number() over (order by transaction, change_id) as number,
        jsonb_build_object(
            'kind', case when not present then 'removed' when known then 'changed' else 'created' end,
            'changed', case when present then to_jsonb(changed) else '[]'::jsonb end,
            'values', coalesce(values, '{{}}'::jsonb),
            'as_of', to_jsonb(now())
        ) || {origins} || case
            when not present and survivor is not null then jsonb_build_object('merged_into', survivor)
            else '{{}}'::jsonb
        end as line
    from state
    where case when present then cardinality(changed) > 0 or fewer else known end
),
delivered as (
    insert into share.feed_entry (feed, sequence, person_key, line)
    select feed.feed, feed.last_sequence + line.number, line.person_key, line.line
    from line, share.feed
    where feed.feed = %(feed)s
),
reached as (
    select transaction, change_id from fresh order by transaction desc, change_id desc limit 1
)
update share.feed set
    transaction = reached.transaction,
    change_id = reached.change_id,
    last_sequence = last_sequence + (select count(*) from line),
    published_at = now()
from reached
where feed.feed = %(feed)s
