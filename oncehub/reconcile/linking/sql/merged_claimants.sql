-- People who found, were merged into, or unmerged from another person: their numbers may belong to another
-- now. A person who is not merged and whose records this run does not read keeps them.
insert into claimant
select g.person_key
from (
    select unnest(array[g.person_key, g.survivor]) as person_key
    from founder f
    join (
        select person_key as either, person_key, survivor from truth.merge_decision
        union all
        select survivor, person_key, survivor from truth.merge_decision
    ) g on g.either = f.person_key
) g
where exists (select from founder f where f.person_key = g.person_key) or not exists (
    select from truth.link k where k.person_key = g.person_key and k.method in ('register', 'merged')
);
