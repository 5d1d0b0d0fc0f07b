-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, {method}, {name}, i.value,
    s.birth_date is not null,
    b.person_key is not null or {differs} and not exists (
        select from truth.link o
        join record.person g
            on g.source = {register}
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not {differs_joined}
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where {usable}
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = {scheme} and i.value = text.identifying({scheme}, {attribute})
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = {register} and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and {in_force}
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);
