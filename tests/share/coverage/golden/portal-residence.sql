with conflict as materialized (
    select person_key, array_agg(distinct attribute) as attributes
    from truth.discrepancy
    where kind = 'conflict' and closed_at is null
    group by person_key
),
person as materialized (
    select * from truth.person as person
    where coalesce("person".life_status not in ('deceased', 'missing'), true) and true and true
    order by person_key
    limit %(sample)s
)
, "found_father" as materialized (
-- The person to whom a personal number leads, by the rule by which a search term leads to one: see `lookup`.
select person_key, min(relative::text)::uuid as relative
from (
    select
        person.person_key, identifier.person_key as relative, identifier.current,
        bool_or(identifier.current) over same_number as held_now,
        bool_or(identifier.contested) over same_number as contested
    from person
    left join conflict using (person_key)
    join truth.identifier as identifier
        on identifier.scheme = 'personal_id'
        and identifier.value = text.identifying('personal_id', person."father" ->> 'personal_id')
    where (
    "person"."father" is null
    or 'father' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'father') ->> 'rule' = 'authority', false)
)
    window same_number as (partition by person.person_key)
) as claim
where not contested and (current or not held_now)
group by person_key
having count(*) = 1
)
, "found_mother" as materialized (
-- The person to whom a personal number leads, by the rule by which a search term leads to one: see `lookup`.
select person_key, min(relative::text)::uuid as relative
from (
    select
        person.person_key, identifier.person_key as relative, identifier.current,
        bool_or(identifier.current) over same_number as held_now,
        bool_or(identifier.contested) over same_number as contested
    from person
    left join conflict using (person_key)
    join truth.identifier as identifier
        on identifier.scheme = 'personal_id'
        and identifier.value = text.identifying('personal_id', person."mother" ->> 'personal_id')
    where (
    "person"."mother" is null
    or 'mother' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'mother') ->> 'rule' = 'authority', false)
)
    window same_number as (partition by person.person_key)
) as claim
where not contested and (current or not held_now)
group by person_key
having count(*) = 1
)
, "found_spouse" as materialized (
-- The person to whom a personal number leads, by the rule by which a search term leads to one: see `lookup`.
select person_key, min(relative::text)::uuid as relative
from (
    select
        person.person_key, identifier.person_key as relative, identifier.current,
        bool_or(identifier.current) over same_number as held_now,
        bool_or(identifier.contested) over same_number as contested
    from person
    left join conflict using (person_key)
    join truth.identifier as identifier
        on identifier.scheme = 'personal_id'
        and identifier.value = text.identifying('personal_id', person."spouse" ->> 'personal_id')
    where (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
)
    window same_number as (partition by person.person_key)
) as claim
where not contested and (current or not held_now)
group by person_key
having count(*) = 1
)
, "kept" as materialized (
select person.person_key, bool_or((coalesce(paper.component = 'TP02' and paper.procedure_code = any('{"1.004222","1.004194"}'::text[]), false))) as "kept_10", bool_or((coalesce(paper.result = 'KQ.G15.000894', false))) as "kept_20"
from person
cross join lateral
    share.reusable_papers(person.person_key, '{"KQ.G15.000894"}'::text[], '{"TP02","TP02"}'::text[], '{"1.004222","1.004194"}'::text[]) as paper
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

cross join lateral (values (0, case 
when "person"."full_name" is null then 'not_known'
when not (
    "person"."full_name" is null
    or 'full_name' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'full_name') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (1, case 
when "person"."birth_date" is null then 'not_known'
when not (
    "person"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (2, case 
when "person"."sex" is null then 'not_known'
when not (
    "person"."sex" is null
    or 'sex' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'sex') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (3, case 
when "person"."personal_id" is null then 'not_known'
when not (
    "person"."personal_id" is null
    or 'personal_id' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'personal_id') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (4, case 
when "person"."phone" is null then 'not_known'
when not (
    "person"."phone" is null
    or 'phone' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'phone') ->> 'rule' = 'authority', false)
) then 'conflicting'
when 
coalesce(%(now)s - (truth.origin("person".provenance, 'phone') ->> 'as_of')::timestamptz > '1826 days 21600.000000 seconds'::interval, true)
 then 'too_old'
else 'filled'
 end), (5, case 
when "person"."email" is null then 'not_known'
when not (
    "person"."email" is null
    or 'email' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'email') ->> 'rule' = 'authority', false)
) then 'conflicting'
when 
coalesce(%(now)s - (truth.origin("person".provenance, 'email') ->> 'as_of')::timestamptz > '1826 days 21600.000000 seconds'::interval, true)
 then 'too_old'
else 'filled'
 end), (6, case 
when "person"."household_head" is null then 'not_known'
when not (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (7, case 
when "person"."relation_to_head" is null then 'not_known'
when not (
    "person"."relation_to_head" is null
    or 'relation_to_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'relation_to_head') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (8, case 
when "person"."permanent_address" is null then 'not_known'
when not (
    "person"."permanent_address" is null
    or 'permanent_address' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'permanent_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (9, case 
when "person"."current_address" is null then 'not_known'
when not (
    "person"."current_address" is null
    or 'current_address' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'current_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (10, case when kept."kept_10" then 'paper' else 'citizen_provides' end), (11, case 
when "person"."id_card" is null then 'not_known'
when not (
    "person"."id_card" is null
    or 'id_card' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'id_card') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (12, case 
when "person"."ethnicity" is null then 'not_known'
when not (
    "person"."ethnicity" is null
    or 'ethnicity' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'ethnicity') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (13, case 
when "person"."nationality" is null then 'not_known'
when not (
    "person"."nationality" is null
    or 'nationality' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'nationality') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (14, case 
when "person"."spouse" is null then 'not_known'
when not (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (15, case when "its_spouse".person_key is null then case when (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end  
when "its_spouse"."birth_date" is null then 'not_known'
when not (
    "its_spouse"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict_spouse".attributes, '{}'))
    or coalesce(truth.origin("its_spouse".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (16, case when "its_spouse".person_key is null then case when (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end  
when "its_spouse"."ethnicity" is null then 'not_known'
when not (
    "its_spouse"."ethnicity" is null
    or 'ethnicity' <> all (coalesce("conflict_spouse".attributes, '{}'))
    or coalesce(truth.origin("its_spouse".provenance, 'ethnicity') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (17, case when "its_spouse".person_key is null then case when (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end  
when "its_spouse"."nationality" is null then 'not_known'
when not (
    "its_spouse"."nationality" is null
    or 'nationality' <> all (coalesce("conflict_spouse".attributes, '{}'))
    or coalesce(truth.origin("its_spouse".provenance, 'nationality') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (18, case when "its_spouse".person_key is null then case when (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_spouse".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_spouse"."permanent_address" is null then 'not_known'
when not (
    "its_spouse"."permanent_address" is null
    or 'permanent_address' <> all (coalesce("conflict_spouse".attributes, '{}'))
    or coalesce(truth.origin("its_spouse".provenance, 'permanent_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (19, case 
when "person"."hometown" is null then 'not_known'
when not (
    "person"."hometown" is null
    or 'hometown' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'hometown') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (20, case when kept."kept_20" then 'paper' else 'citizen_provides' end), (21, case 
when "person"."other_name" is null then 'not_known'
when not (
    "person"."other_name" is null
    or 'other_name' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'other_name') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (22, case 
when "person"."birth_place" is null then 'not_known'
when not (
    "person"."birth_place" is null
    or 'birth_place' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'birth_place') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (23, case 
when "person"."temporary_address" is null then 'not_known'
when not (
    "person"."temporary_address" is null
    or 'temporary_address' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'temporary_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (24, case 
when "person"."father" is null then 'not_known'
when not (
    "person"."father" is null
    or 'father' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'father') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (25, case when "its_father".person_key is null then case when (
    "person"."father" is null
    or 'father' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'father') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end  
when "its_father"."birth_date" is null then 'not_known'
when not (
    "its_father"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict_father".attributes, '{}'))
    or coalesce(truth.origin("its_father".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (26, case 
when "person"."mother" is null then 'not_known'
when not (
    "person"."mother" is null
    or 'mother' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'mother') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (27, case when "its_mother".person_key is null then case when (
    "person"."mother" is null
    or 'mother' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'mother') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end  
when "its_mother"."birth_date" is null then 'not_known'
when not (
    "its_mother"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict_mother".attributes, '{}'))
    or coalesce(truth.origin("its_mother".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end)) as question (number, answer)
group by 1, 2
