with conflict as materialized (
    select person_key, array_agg(distinct attribute) as attributes
    from truth.discrepancy
    where kind = 'conflict' and closed_at is null
    group by person_key
),
person as materialized (
    select * from truth.person as person
    where share.is_living(person.life_status) and {population} and {restriction}
    order by person_key
    limit %(sample)s
)
{tables}
select question.number, question.answer, count(*)
from person
left join conflict using (person_key)
{joins}
cross join lateral (values {questions}) as question (number, answer)
group by 1, 2
