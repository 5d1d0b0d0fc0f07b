-- Bring truth.identifier in line with `claim` for the claimants and schemes at hand.
analyze claimant;
analyze claim;
truncate borne;
insert into borne
select
    scheme, value, person_key,
    i.current, i.valid_from, i.valid_until, n.current, n.valid_from, n.valid_until
from (
    select i.*
    from claimant c join truth.identifier i using (person_key)
    where i.scheme = any(%(schemes)s)
) i
full join claim n using (scheme, value, person_key);
analyze borne;

-- Records with an identifier that stays with its person are linked to, or refused for, that person already.
insert into touched_value
select distinct scheme, value from borne where current is distinct from current_before;
analyze touched_value;

delete from truth.identifier i
using borne b
where (i.scheme, i.value, i.person_key) = (b.scheme, b.value, b.person_key)
    and b.current_before is not null and b.current is distinct from b.current_before;

update truth.identifier i
set valid_from = b.valid_from, valid_until = b.valid_until
from borne b
where (i.scheme, i.value, i.person_key) = (b.scheme, b.value, b.person_key)
    and b.current = b.current_before
    and (b.valid_from, b.valid_until) is distinct from (b.valid_from_before, b.valid_until_before);

-- A join instead of a subquery for each row: in a table that was empty and vacuumed, each subquery would read
-- all rows that this statement has written so far.
insert into truth.identifier (scheme, value, person_key, valid_from, valid_until, current, contested)
select
    b.scheme, b.value, b.person_key, b.valid_from, b.valid_until, b.current,
    count(*) over (partition by b.scheme, b.value, b.current) > 1 or elsewhere.value is not null
from borne b
left join (
    select distinct b.scheme, b.value, b.current, b.person_key
    from borne b join truth.identifier o using (scheme, value, current)
    where b.current is distinct from b.current_before and o.person_key <> b.person_key
) elsewhere using (scheme, value, current, person_key)
where b.current is not null and b.current is distinct from b.current_before
order by b.scheme, b.value;
