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
        select "full_name", "phone" from jsonb_populate_record(null::truth.person, given.golden)
    ) value
),
statement as materialized (
select k.person_key, source, stream, source_key, r.stated_at, k.method = any(ARRAY['national_id_9','tax_code','passport','model']) or truth.doubtful_personal_id(
    coalesce(r.personal_id, case when length(r.tax_code) = 12 then r.tax_code end), r.birth_date, r.sex
) as doubtful, "r"."full_name", "r"."phone"
from linked k join record.person r using (source, stream, source_key)
where r.deleted_at is null
),
doubted as (
    select
        source, stream, source_key, k.method as linked_by,
        array_remove(array[case when k.method = any(ARRAY['national_id_9','tax_code','passport','model']) then 'link' end, case when truth.doubtful_personal_id(
    coalesce(r.personal_id, case when length(r.tax_code) = 12 then r.tax_code end), r.birth_date, r.sex
) then 'personal_id' end]::text[], null) as doubts
    from linked k join record.person r using (source, stream, source_key)
),
ranked as (
    select
        s.person_key::text, 'full_name' as attribute, source, stream, source_key, stated_at,
        jsonb_strip_nulls(to_jsonb("s"."full_name")) as value, null::float8 as score,
        case when jsonb_strip_nulls(to_jsonb("s"."full_name")) = to_jsonb(b."full_name") then 'same' when ("s"."full_name" = "b"."full_name" or text.fold_name("s"."full_name") = text.fold_name("b"."full_name")) then 'form' else 'different' end
            as likeness,
        case when (source = any(ARRAY['population']) and linked_by <> 'merged') then row_number() over (
            partition by s.person_key, (source = any(ARRAY['population']) and linked_by <> 'merged') order by stated_at desc, array_position(ARRAY['population'], source), stream, source_key
        ) end as place,
        linked_by, doubts
    from statement s join golden b using (person_key) join doubted using (source, stream, source_key)
    where s."full_name" is not null
    union all
    select
        s.person_key::text, 'phone' as attribute, source, stream, source_key, stated_at,
        jsonb_strip_nulls(to_jsonb("s"."phone")) as value, (
    extract(epoch from stated_at)::float8 / 31557600.0
    + (array[ -0.15200309344504995,  -0.3219280948873623,  -0.7369655941662062,  -1.0])[array_position(ARRAY['portal','banking','tax','customs'], source)]
    + case when doubtful then  -1.0 else 0 end
) as score,
        case when jsonb_strip_nulls(to_jsonb("s"."phone")) = to_jsonb(b."phone") then 'same' when "s"."phone" = "b"."phone" then 'form' else 'different' end
            as likeness,
        case when (source = any(ARRAY['portal','banking','tax','customs']) and linked_by <> 'merged') then row_number() over (
            partition by s.person_key, (source = any(ARRAY['portal','banking','tax','customs']) and linked_by <> 'merged') order by (
    extract(epoch from stated_at)::float8 / 31557600.0
    + (array[ -0.15200309344504995,  -0.3219280948873623,  -0.7369655941662062,  -1.0])[array_position(ARRAY['portal','banking','tax','customs'], source)]
    + case when doubtful then  -1.0 else 0 end
) desc, stated_at desc, array_position(ARRAY['portal','banking','tax','customs'], source), stream, source_key
        ) end as place,
        linked_by, doubts
    from statement s join golden b using (person_key) join doubted using (source, stream, source_key)
    where s."phone" is not null
)
select *
from ranked
order by place nulls last, source, stream, source_key;
