-- What the records linked to people stated by a moment, ranked as a run ranks it. `given` is the golden
-- record that each statement is compared with; doubts names what makes a record doubtful; place is null for a
-- source that the rule does not trust.
with linked as materialized (
    select k.person_key, source, stream, source_key, k.method
    from truth.link k join record.person r using (source, stream, source_key)
    where k.person_key = any(%(people)s::uuid[]) and r.received_at <= %(at)s
),
-- noqa: disable=ST03
-- The queries of `ranked` use these, one query for each attribute.
golden as materialized (
    select given.person_key, value.*
    from unnest(%(people)s::uuid[], %(golden)s::jsonb[]) given (person_key, golden)
    cross join lateral (
        select {attributes} from jsonb_populate_record(null::truth.person, given.golden)
    ) value
),
statement as materialized ({statements}),
doubted as (
    select
        source, stream, source_key, k.method as linked_by,
        array_remove(array[{doubts}]::text[], null) as doubts
    from linked k join record.person r using (source, stream, source_key)
),
ranked as ({ranked})
select *
from ranked
order by place nulls last, source, stream, source_key
