-- Every head that is found has a row, even without other members. The planner cannot estimate the number of
-- heads, so conflicts are looked up by index: a join may read all conflicts for each head.
select heads.person_key, count(member.person_key) as members,
    bool_or(not {population}) filter (where member.person_key is not null) as outside, {statuses}
from {heads} as heads
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
