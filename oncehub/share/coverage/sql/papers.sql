select person.person_key, {kept}
from person
cross join lateral share.reusable_papers(person.person_key, {wanted}::jsonb) as paper
group by person.person_key
