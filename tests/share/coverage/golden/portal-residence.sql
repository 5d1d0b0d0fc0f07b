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
, "found_father" as materialized (
select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person."father" ->> 'personal_id')
where share.stands('father', person.provenance, conflict.attributes)
)
, "found_mother" as materialized (
select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person."mother" ->> 'personal_id')
where share.stands('mother', person.provenance, conflict.attributes)
)
, "found_spouse" as materialized (
select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person."spouse" ->> 'personal_id')
where share.stands('spouse', person.provenance, conflict.attributes)
)
, "kept" as materialized (
select person.person_key, bool_or(paper.place = 10) as "kept_10", bool_or(paper.place = 20) as "kept_20"
from person
cross join lateral share.reusable_papers(person.person_key, '[{"place": 10, "result": null, "component": "TP02", "procedures": ["1.004222", "1.004194"], "max_age": null}, {"place": 20, "result": "KQ.G15.000894", "component": null, "procedures": [], "max_age": null}]'::jsonb) as paper
group by person.person_key
)

select question.number, question.answer, count(*)
from person
left join conflict using (person_key)
left join kept on kept.person_key = person.person_key 
left join "found_father" on "found_father".person_key = person.person_key
left join truth.person as "its_father" on "its_father".person_key = "found_father".relative and true
left join conflict as "conflict_father" on "conflict_father".person_key = "its_father".person_key
 
left join "found_mother" on "found_mother".person_key = person.person_key
left join truth.person as "its_mother" on "its_mother".person_key = "found_mother".relative and true
left join conflict as "conflict_mother" on "conflict_mother".person_key = "its_mother".person_key
 
left join "found_spouse" on "found_spouse".person_key = person.person_key
left join truth.person as "its_spouse" on "its_spouse".person_key = "found_spouse".relative and true
left join conflict as "conflict_spouse" on "conflict_spouse".person_key = "its_spouse".person_key

cross join lateral (values (0, (
share.value_status(
    true, "person"."full_name" is not null, 'full_name', "person".provenance, "conflict".attributes, NULL
))::text), (1, (
share.value_status(
    true, "person"."birth_date" is not null, 'birth_date', "person".provenance, "conflict".attributes, NULL
))::text), (2, (
share.value_status(
    true, "person"."sex" is not null, 'sex', "person".provenance, "conflict".attributes, NULL
))::text), (3, (
share.value_status(
    true, "person"."personal_id" is not null, 'personal_id', "person".provenance, "conflict".attributes, NULL
))::text), (4, (
share.value_status(
    true, "person"."phone" is not null, 'phone', "person".provenance, "conflict".attributes, '1826 days 21600.000000 seconds'::interval
))::text), (5, (
share.value_status(
    true, "person"."email" is not null, 'email', "person".provenance, "conflict".attributes, '1826 days 21600.000000 seconds'::interval
))::text), (6, (
share.value_status(
    true, "person"."household_head" is not null, 'household_head', "person".provenance, "conflict".attributes, NULL
))::text), (7, (
share.value_status(
    true, "person"."relation_to_head" is not null, 'relation_to_head', "person".provenance, "conflict".attributes, NULL
))::text), (8, (
share.value_status(
    true, "person"."permanent_address" is not null, 'permanent_address', "person".provenance, "conflict".attributes, NULL
))::text), (9, (
share.value_status(
    true, "person"."current_address" is not null, 'current_address', "person".provenance, "conflict".attributes, NULL
))::text), (10, case when kept."kept_10" then 'paper' else 'citizen_provides' end), (11, (
share.value_status(
    true, "person"."id_card" is not null, 'id_card', "person".provenance, "conflict".attributes, NULL
))::text), (12, (
share.value_status(
    true, "person"."ethnicity" is not null, 'ethnicity', "person".provenance, "conflict".attributes, NULL
))::text), (13, (
share.value_status(
    true, "person"."nationality" is not null, 'nationality', "person".provenance, "conflict".attributes, NULL
))::text), (14, (
share.value_status(
    true, "person"."spouse" is not null, 'spouse', "person".provenance, "conflict".attributes, NULL
))::text), (15, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."birth_date" is not null, 'birth_date', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (16, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."ethnicity" is not null, 'ethnicity', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (17, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."nationality" is not null, 'nationality', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (18, (
case
    when "its_spouse".person_key is null then share.unfound_status(person."spouse" is not null, 'spouse', person.provenance, conflict.attributes)
    else share.relative_status(false, "its_spouse".life_status, 
share.value_status(
    true, "its_spouse"."permanent_address" is not null, 'permanent_address', "its_spouse".provenance, "conflict_spouse".attributes, NULL
))
end
)::text), (19, (
share.value_status(
    true, "person"."hometown" is not null, 'hometown', "person".provenance, "conflict".attributes, NULL
))::text), (20, case when kept."kept_20" then 'paper' else 'citizen_provides' end), (21, (
share.value_status(
    true, "person"."other_name" is not null, 'other_name', "person".provenance, "conflict".attributes, NULL
))::text), (22, (
share.value_status(
    true, "person"."birth_place" is not null, 'birth_place', "person".provenance, "conflict".attributes, NULL
))::text), (23, (
share.value_status(
    true, "person"."temporary_address" is not null, 'temporary_address', "person".provenance, "conflict".attributes, NULL
))::text), (24, (
share.value_status(
    true, "person"."father" is not null, 'father', "person".provenance, "conflict".attributes, NULL
))::text), (25, (
case
    when "its_father".person_key is null then share.unfound_status(person."father" is not null, 'father', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_father".life_status, 
share.value_status(
    true, "its_father"."birth_date" is not null, 'birth_date', "its_father".provenance, "conflict_father".attributes, NULL
))
end
)::text), (26, (
share.value_status(
    true, "person"."mother" is not null, 'mother', "person".provenance, "conflict".attributes, NULL
))::text), (27, (
case
    when "its_mother".person_key is null then share.unfound_status(person."mother" is not null, 'mother', person.provenance, conflict.attributes)
    else share.relative_status(true, "its_mother".life_status, 
share.value_status(
    true, "its_mother"."birth_date" is not null, 'birth_date', "its_mother".provenance, "conflict_mother".attributes, NULL
))
end
)::text)) as question (number, answer)
group by 1, 2
