-- An attribute that the agreement has gained is published with a person's next change, so that only what a
-- line holds is compared. A person without a line must have nothing of what the agreement covers.
select person_key::text, count(*) over () as persons
from (
    select distinct on (person_key) person_key, line
    from share.feed_entry
    where feed = %(feed)s
    order by person_key asc, sequence desc
) sent
full join (
    select person.*, entitled.names
    from truth.person cross join lateral (select {entitled} as names) as entitled
    where {covered} and cardinality(entitled.names) > 0
) person using (person_key)
cross join lateral (select person.names) as entitled
where not exists (select from in_flight i where i.person_key = coalesce(sent.person_key, person.person_key))
    and case
        when person.person_key is null then sent.line ->> 'kind' <> 'removed'
        when coalesce(sent.line ->> 'kind', 'removed') = 'removed' then num_nonnulls({columns}) > 0
        else exists (
            select from jsonb_each({values}) b
            where sent.line -> 'values' -> b.key <> b.value
        )
    end
limit %(shown)s
