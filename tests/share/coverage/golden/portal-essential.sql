with conflict as materialized (
    select person_key, array_agg(distinct attribute) as attributes
    from truth.discrepancy
    where kind = 'conflict' and closed_at is null
    group by person_key
),
person as materialized (
    select * from truth.person as person
    where share.is_living(person.life_status) and true and true
    order by person_key
    limit %(sample)s
)
, "found_household_head" as materialized (
select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person."household_head" ->> 'personal_id')
where share.stands('household_head', person.provenance, conflict.attributes)
)
, "found_spouse" as materialized (
select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person."spouse" ->> 'personal_id')
where share.stands('spouse', person.provenance, conflict.attributes)
)
, "household" as materialized (
-- Every head that is found has a row, even without other members. The planner cannot estimate the number of
-- heads, so conflicts are looked up by index: a join may read all conflicts for each head.
select heads.person_key, count(member.person_key) as members,
    bool_or(not true) filter (where member.person_key is not null) as outside, min(least(
share.value_status(
    true, "member"."household_head" is not null, 'household_head', "member".provenance, "conflict_member".attributes, NULL
), 
share.value_status(
    true, "member"."full_name" is not null, 'full_name', "member".provenance, "conflict_member".attributes, NULL
), 
share.value_status(
    true, "member"."personal_id" is not null, 'personal_id', "member".provenance, "conflict_member".attributes, NULL
), 
share.value_status(
    true, "member"."relation_to_head" is not null, 'relation_to_head', "member".provenance, "conflict_member".attributes, NULL
))) filter (where member.person_key is not null) as "status_31"
from "found_household_head" as heads
left join truth.leading_number as led on led.person_key = heads.relative
left join truth.person as member
    on member.household_head ->> 'personal_id' = led.personal_id
    and member.person_key <> heads.person_key and share.is_living(member.life_status)
left join lateral (
    select array_agg(discrepancy.attribute) as attributes
    from truth.discrepancy
    where discrepancy.person_key = member.person_key and discrepancy.kind = 'conflict'
        and discrepancy.closed_at is null
) as conflict_member on true
group by heads.person_key
)
, "kept" as materialized (
select person.person_key, bool_or(paper.place = 16) as "kept_16", bool_or(paper.place = 29) as "kept_29"
from person
cross join lateral share.reusable_papers(person.person_key, '[{"place": 16, "result": null, "component": "TP02", "procedures": ["1.004222", "1.004194"], "max_age": null}, {"place": 29, "result": "KQ.G15.000894", "component": null, "procedures": [], "max_age": null}]'::jsonb) as paper
group by person.person_key
)

select question.number, question.answer, count(*)
from person
left join conflict using (person_key)
left join kept on kept.person_key = person.person_key left join household on household.person_key = person.person_key 
left join "found_household_head" on "found_household_head".person_key = person.person_key
left join truth.person as "its_household_head" on "its_household_head".person_key = "found_household_head".relative and true
left join conflict as "conflict_household_head" on "conflict_household_head".person_key = "its_household_head".person_key
 
left join "found_spouse" on "found_spouse".person_key = person.person_key
left join truth.person as "its_spouse" on "its_spouse".person_key = "found_spouse".relative and true
left join conflict as "conflict_spouse" on "conflict_spouse".person_key = "its_spouse".person_key

cross join lateral (values (0, (
share.value_status(
    true, "person"."full_name" is not null, 'full_name', "person".provenance, "conflict".attributes, NULL
))::text), (1, (
share.value_status(
    true, "person"."personal_id" is not null, 'personal_id', "person".provenance, "conflict".attributes, NULL
))::text), (2, (
share.value_status(
    true, "person"."birth_date" is not null, 'birth_date', "person".provenance, "conflict".attributes, NULL
))::text), (3, (
share.value_status(
    true, "person"."sex" is not null, 'sex', "person".provenance, "conflict".attributes, NULL
))::text), (4, (
share.value_status(
    true, "person"."ethnicity" is not null, 'ethnicity', "person".provenance, "conflict".attributes, NULL
))::text), (5, (
share.value_status(
    true, "person"."nationality" is not null, 'nationality', "person".provenance, "conflict".attributes, NULL
))::text), (6, (
share.value_status(
    true, "person"."permanent_address" is not null, 'permanent_address', "person".provenance, "conflict".attributes, NULL
))::text), (7, (
share.value_status(
    true, "person"."id_card" is not null, 'id_card', "person".provenance, "conflict".attributes, NULL
))::text), (8, (
share.value_status(
    true, "person"."marital_status" is not null, 'marital_status', "person".provenance, "conflict".attributes, NULL
))::text), (9, (
share.value_status(
    true, "person"."current_address" is not null, 'current_address', "person".provenance, "conflict".attributes, NULL
))::text), (10, (
share.value_status(
    true, "person"."phone" is not null, 'phone', "person".provenance, "conflict".attributes, '1826 days 21600.000000 seconds'::interval
))::text), (11, (
share.value_status(
    true, "person"."tax_code" is not null, 'tax_code', "person".provenance, "conflict".attributes, NULL
))::text), (12, (
share.value_status(
    true, "person"."email" is not null, 'email', "person".provenance, "conflict".attributes, '1826 days 21600.000000 seconds'::interval
))::text), (13, (
share.value_status(
    true, "person"."household_head" is not null, 'household_head', "person".provenance, "conflict".attributes, NULL
))::text), (14, (
share.value_status(
    true, "person"."relation_to_head" is not null, 'relation_to_head', "person".provenance, "conflict".attributes, NULL
))::text), (15, (
share.value_status(
    true, "person"."temporary_address" is not null, 'temporary_address', "person".provenance, "conflict".attributes, NULL
))::text), (16, case when kept."kept_16" then 'paper' else 'citizen_provides' end), (17, (
share.value_status(
    true, "person"."father" is not null, 'father', "person".provenance, "conflict".attributes, NULL
))::text), (18, (
share.value_status(
    true, "person"."mother" is not null, 'mother', "person".provenance, "conflict".attributes, NULL
))::text), (19, (
share.value_status(
    true, "person"."spouse" is not null, 'spouse', "person".provenance, "conflict".attributes, NULL
))::text), (20, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."permanent_address" is not null, 'permanent_address', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (21, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."phone" is not null, 'phone', "its_spouse".provenance, "conflict_spouse".attributes, '1826 days 21600.000000 seconds'::interval
))
end
)::text), (22, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."birth_date" is not null, 'birth_date', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (23, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."ethnicity" is not null, 'ethnicity', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (24, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."nationality" is not null, 'nationality', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (25, (
case
    when "its_household_head".person_key is null then share.unfound_status(person."household_head" is not null, 'household_head', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_household_head".life_status, 
share.value_status(
    true, "its_household_head"."full_name" is not null, 'full_name', "its_household_head".provenance, "conflict_household_head".attributes, NULL
))
end
)::text), (26, (
case
    when "its_household_head".person_key is null then share.unfound_status(person."household_head" is not null, 'household_head', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_household_head".life_status, 
share.value_status(
    true, "its_household_head"."personal_id" is not null, 'personal_id', "its_household_head".provenance, "conflict_household_head".attributes, NULL
))
end
)::text), (27, (
case
    when "its_household_head".person_key is null then share.unfound_status(person."household_head" is not null, 'household_head', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_household_head".life_status, 
share.value_status(
    true, "its_household_head"."permanent_address" is not null, 'permanent_address', "its_household_head".provenance, "conflict_household_head".attributes, NULL
))
end
)::text), (28, (
share.value_status(
    true, "person"."hometown" is not null, 'hometown', "person".provenance, "conflict".attributes, NULL
))::text), (29, case when kept."kept_29" then 'paper' else 'citizen_provides' end), (30, (
case
    when "its_household_head".person_key is null then share.unfound_status(person."household_head" is not null, 'household_head', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_household_head".life_status, 
share.value_status(
    true, "its_household_head"."birth_date" is not null, 'birth_date', "its_household_head".provenance, "conflict_household_head".attributes, NULL
))
end
)::text), (31, (
case
    when household.person_key is null then share.unfound_status(person."household_head" is not null, 'household_head', person.provenance, conflict.attributes)
    else share.household_status(household.members, household.outside, least(
share.value_status(
    true, "person"."household_head" is not null, 'household_head', "person".provenance, "conflict".attributes, NULL
), household."status_31"))
end
)::text), (32, (
share.value_status(
    true, "person"."birth_place" is not null, 'birth_place', "person".provenance, "conflict".attributes, NULL
))::text)) as question (number, answer)
group by 1, 2
