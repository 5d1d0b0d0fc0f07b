-- Bring truth.identifier in line with `claim` for the claimants and schemes at hand.
analyze claimant;
analyze claim;

-- Whoever states an identifier that stays with its person is linked to, or refused for, that person already.
insert into touched_value
select i.scheme, i.value
from claimant c join truth.identifier i using (person_key)
where i.scheme = any(%(schemes)s) and not exists (
    select from claim n
    where (n.scheme, n.value, n.person_key, n.current) = (i.scheme, i.value, i.person_key, i.current)
)
union
select n.scheme, n.value
from claim n
where not exists (
    select from truth.identifier i
    where (i.scheme, i.value, i.person_key, i.current) = (n.scheme, n.value, n.person_key, n.current)
);
analyze touched_value;

delete from truth.identifier i
using claimant c
where i.person_key = c.person_key and i.scheme = any(%(schemes)s) and not exists (
    select from claim n
    where (n.scheme, n.value, n.person_key, n.current) = (i.scheme, i.value, i.person_key, i.current)
);

update truth.identifier i
set valid_from = c.valid_from, valid_until = c.valid_until
from claim c
where (i.scheme, i.value, i.person_key) = (c.scheme, c.value, c.person_key)
    and (i.valid_from, i.valid_until) is distinct from (c.valid_from, c.valid_until);

-- Joined, not asked row by row: where the table was empty and vacuumed, each question would read all that this
-- statement has written so far.
insert into truth.identifier (scheme, value, person_key, valid_from, valid_until, current, contested)
select
    c.scheme, c.value, c.person_key, c.valid_from, c.valid_until, c.current,
    several.value is not null or elsewhere.value is not null
from claim c
left join (
    select scheme, value, current from claim group by scheme, value, current having count(*) > 1
) several using (scheme, value, current)
left join (
    select distinct c.scheme, c.value, c.current, c.person_key
    from claim c join truth.identifier o using (scheme, value, current)
    where o.person_key <> c.person_key
) elsewhere using (scheme, value, current, person_key)
where not exists (
    select from truth.identifier i
    where (i.scheme, i.value, i.person_key) = (c.scheme, c.value, c.person_key)
)
order by c.scheme, c.value;
