select person.person_key, {kept}
from person
cross join lateral
    share.reusable_papers(person.person_key, {results}, {components}, {procedures}) as paper
group by person.person_key
