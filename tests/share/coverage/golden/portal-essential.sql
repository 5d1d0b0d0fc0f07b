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
, "found_household_head" as materialized (
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
        and identifier.value = text.identifying('personal_id', person."household_head" ->> 'personal_id')
    where (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
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
, "household" as materialized (
-- Every head that is found has a row, even without other members. The planner cannot estimate the number of
-- heads, so conflicts are looked up by index: a join may read all conflicts for each head.
select heads.person_key, count(member.person_key) as members, bool_or(not true) filter (where member.person_key is not null) as "outside", bool_or("member"."full_name" is null or "member"."personal_id" is null or "member"."relation_to_head" is null) filter (where member.person_key is not null) as "unknown_31", bool_or(not (
    "member"."household_head" is null
    or 'household_head' <> all (coalesce("conflict_member".attributes, '{}'))
    or coalesce(truth.origin("member".provenance, 'household_head') ->> 'rule' = 'authority', false)
) or not (
    "member"."full_name" is null
    or 'full_name' <> all (coalesce("conflict_member".attributes, '{}'))
    or coalesce(truth.origin("member".provenance, 'full_name') ->> 'rule' = 'authority', false)
) or not (
    "member"."personal_id" is null
    or 'personal_id' <> all (coalesce("conflict_member".attributes, '{}'))
    or coalesce(truth.origin("member".provenance, 'personal_id') ->> 'rule' = 'authority', false)
) or not (
    "member"."relation_to_head" is null
    or 'relation_to_head' <> all (coalesce("conflict_member".attributes, '{}'))
    or coalesce(truth.origin("member".provenance, 'relation_to_head') ->> 'rule' = 'authority', false)
)) filter (where member.person_key is not null) as "conflicting_31", bool_or(false or false or false or false) filter (where member.person_key is not null) as "old_31"
from "found_household_head" as heads
left join truth.leading_number as led on led.person_key = heads.relative
left join truth.person as member
    on member.household_head ->> 'personal_id' = led.personal_id
    and member.person_key <> heads.person_key and coalesce("member".life_status not in ('deceased', 'missing'), true)
left join lateral (
    select array_agg(discrepancy.attribute) as attributes
    from truth.discrepancy
    where discrepancy.person_key = member.person_key and discrepancy.kind = 'conflict'
        and discrepancy.closed_at is null
) as conflict_member on true
group by heads.person_key
)
, "kept" as materialized (
select person.person_key, bool_or((coalesce(paper.component = 'TP02' and paper.procedure_code = any('{"1.004222","1.004194"}'::text[]), false))) as "kept_16", bool_or((coalesce(paper.result = 'KQ.G15.000894', false))) as "kept_29"
from person
cross join lateral
    share.reusable_papers(person.person_key, '{"KQ.G15.000894"}'::text[], '{"TP02","TP02"}'::text[], '{"1.004222","1.004194"}'::text[]) as paper
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
when "person"."personal_id" is null then 'not_known'
when not (
    "person"."personal_id" is null
    or 'personal_id' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'personal_id') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (2, case 
when "person"."birth_date" is null then 'not_known'
when not (
    "person"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (3, case 
when "person"."sex" is null then 'not_known'
when not (
    "person"."sex" is null
    or 'sex' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'sex') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (4, case 
when "person"."ethnicity" is null then 'not_known'
when not (
    "person"."ethnicity" is null
    or 'ethnicity' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'ethnicity') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (5, case 
when "person"."nationality" is null then 'not_known'
when not (
    "person"."nationality" is null
    or 'nationality' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'nationality') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (6, case 
when "person"."permanent_address" is null then 'not_known'
when not (
    "person"."permanent_address" is null
    or 'permanent_address' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'permanent_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (7, case 
when "person"."id_card" is null then 'not_known'
when not (
    "person"."id_card" is null
    or 'id_card' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'id_card') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (8, case 
when "person"."marital_status" is null then 'not_known'
when not (
    "person"."marital_status" is null
    or 'marital_status' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'marital_status') ->> 'rule' = 'authority', false)
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
 end), (10, case 
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
 end), (11, case 
when "person"."tax_code" is null then 'not_known'
when not (
    "person"."tax_code" is null
    or 'tax_code' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'tax_code') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (12, case 
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
 end), (13, case 
when "person"."household_head" is null then 'not_known'
when not (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (14, case 
when "person"."relation_to_head" is null then 'not_known'
when not (
    "person"."relation_to_head" is null
    or 'relation_to_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'relation_to_head') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (15, case 
when "person"."temporary_address" is null then 'not_known'
when not (
    "person"."temporary_address" is null
    or 'temporary_address' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'temporary_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (16, case when kept."kept_16" then 'paper' else 'citizen_provides' end), (17, case 
when "person"."father" is null then 'not_known'
when not (
    "person"."father" is null
    or 'father' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'father') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (18, case 
when "person"."mother" is null then 'not_known'
when not (
    "person"."mother" is null
    or 'mother' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'mother') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (19, case 
when "person"."spouse" is null then 'not_known'
when not (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (20, case when "its_spouse".person_key is null then case when (
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
 end), (21, case when "its_spouse".person_key is null then case when (
    "person"."spouse" is null
    or 'spouse' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'spouse') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_spouse".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_spouse"."phone" is null then 'not_known'
when not (
    "its_spouse"."phone" is null
    or 'phone' <> all (coalesce("conflict_spouse".attributes, '{}'))
    or coalesce(truth.origin("its_spouse".provenance, 'phone') ->> 'rule' = 'authority', false)
) then 'conflicting'
when 
coalesce(%(now)s - (truth.origin("its_spouse".provenance, 'phone') ->> 'as_of')::timestamptz > '1826 days 21600.000000 seconds'::interval, true)
 then 'too_old'
else 'filled'
 end), (22, case when "its_spouse".person_key is null then case when (
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
 end), (23, case when "its_spouse".person_key is null then case when (
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
 end), (24, case when "its_spouse".person_key is null then case when (
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
 end), (25, case when "its_household_head".person_key is null then case when (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_household_head".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_household_head"."full_name" is null then 'not_known'
when not (
    "its_household_head"."full_name" is null
    or 'full_name' <> all (coalesce("conflict_household_head".attributes, '{}'))
    or coalesce(truth.origin("its_household_head".provenance, 'full_name') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (26, case when "its_household_head".person_key is null then case when (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_household_head".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_household_head"."personal_id" is null then 'not_known'
when not (
    "its_household_head"."personal_id" is null
    or 'personal_id' <> all (coalesce("conflict_household_head".attributes, '{}'))
    or coalesce(truth.origin("its_household_head".provenance, 'personal_id') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (27, case when "its_household_head".person_key is null then case when (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_household_head".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_household_head"."permanent_address" is null then 'not_known'
when not (
    "its_household_head"."permanent_address" is null
    or 'permanent_address' <> all (coalesce("conflict_household_head".attributes, '{}'))
    or coalesce(truth.origin("its_household_head".provenance, 'permanent_address') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (28, case 
when "person"."hometown" is null then 'not_known'
when not (
    "person"."hometown" is null
    or 'hometown' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'hometown') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (29, case when kept."kept_29" then 'paper' else 'citizen_provides' end), (30, case when "its_household_head".person_key is null then case when (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end when not coalesce("its_household_head".life_status not in ('deceased', 'missing'), true) then 'relative_not_living' 
when "its_household_head"."birth_date" is null then 'not_known'
when not (
    "its_household_head"."birth_date" is null
    or 'birth_date' <> all (coalesce("conflict_household_head".attributes, '{}'))
    or coalesce(truth.origin("its_household_head".provenance, 'birth_date') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end), (31, 
case
    when household.person_key is null
    then case when (
    "person"."household_head" is null
    or 'household_head' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'household_head') ->> 'rule' = 'authority', false)
) then 'relative_unknown' else 'conflicting' end
    when household.members > 50 then 'too_many'
    when household.outside then 'not_allowed'
    when household."unknown_31" then 'not_known'
    when household."conflicting_31" then 'conflicting'
    when false or household."old_31" then 'too_old'
    else 'filled'
end
), (32, case 
when "person"."birth_place" is null then 'not_known'
when not (
    "person"."birth_place" is null
    or 'birth_place' <> all (coalesce("conflict".attributes, '{}'))
    or coalesce(truth.origin("person".provenance, 'birth_place') ->> 'rule' = 'authority', false)
) then 'conflicting'
when false then 'too_old'
else 'filled'
 end)) as question (number, answer)
group by 1, 2
