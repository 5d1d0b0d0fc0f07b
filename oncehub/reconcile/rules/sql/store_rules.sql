-- Stores the rules that the database itself reads: how grave discrepancies are, and which cases need two
-- clerks. Nearly always they are there already, so that nothing is written.
with given as (
    select *
    from jsonb_to_recordset(%(severity)s) as r (
        kind text, attribute text, opens text, medium_after interval, high_after interval
    )
),
gone as (
    delete from truth.severity_rule o
    where not exists (select from given g where (g.kind, g.attribute) = (o.kind, o.attribute))
)
insert into truth.severity_rule (kind, attribute, opens, medium_after, high_after)
select kind, attribute, opens, medium_after, high_after
from given g
where not exists (
    select from truth.severity_rule o
    where (o.kind, o.attribute, o.opens) = (g.kind, g.attribute, g.opens)
        and (o.medium_after, o.high_after) is not distinct from (g.medium_after, g.high_after)
)
on conflict (kind, attribute) do update
set opens = excluded.opens, medium_after = excluded.medium_after, high_after = excluded.high_after;

insert into truth.case_rule (kind, four_eyes)
select kind, four_eyes
from jsonb_to_recordset(%(cases)s) as g (kind text, four_eyes boolean)
where not exists (
    select from truth.case_rule o where (o.kind, o.four_eyes) = (g.kind, g.four_eyes)
)
on conflict (kind) do update set four_eyes = excluded.four_eyes;
