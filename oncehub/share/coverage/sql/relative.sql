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
        and identifier.value = text.identifying('personal_id', person.{tie} ->> 'personal_id')
    where {stands}
    window same_number as (partition by person.person_key)
) as claim
where not contested and (current or not held_now)
group by person_key
having count(*) = 1
