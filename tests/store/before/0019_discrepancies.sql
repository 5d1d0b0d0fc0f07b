-- All kinds of discrepancy, why each closed, and how grave an open one is on the day it is read.
alter table truth.discrepancy
    drop constraint discrepancy_kind_check,
    add constraint discrepancy_kind_check check (kind in (
        'conflict', 'stale', 'form', 'missing', 'wrong_person', 'deceased', 'duplicate', 'invalid'
    )),
    add column closed_because text check (closed_because in (
        'corrected', 'belief_changed', 'record_gone', 'unlinked', 'person_gone', 'ruling', 'rules_changed'
    )),
    -- Of what was closed before there was this column, nobody knows why.
    add constraint discrepancy_closed_because check ((closed_at is null) = (closed_because is null)) not valid;
comment on column truth.discrepancy.closed_because is
    'corrected: the source states another value, or a duplicate is gone; belief_changed: another value is believed; record_gone, person_gone: deleted; unlinked: the record speaks of somebody else; ruling: a clerk decided; rules_changed: nothing but the rules did';

create table truth.severity_rule (
    kind         text not null,
    attribute    text not null,
    opens        text not null check (opens in ('low', 'medium', 'high')),
    medium_after interval,
    high_after   interval,
    primary key (kind, attribute)
);
comment on table truth.severity_rule is
    'as mappings/rules/comparison.yaml says, written by reconciling; attribute * stands for those without a rule of their own';

create view truth.open_discrepancy as
select
    d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind,
    case
        when r.opens = 'high' or d.age >= r.high_after then 'high'
        when r.opens = 'medium' or d.age >= r.medium_after then 'medium'
        else 'low'
    end as severity,
    d.stated, d.believed, d.stated_at, d.as_of, d.opened_at, d.age
from (select *, now() - opened_at as age from truth.discrepancy where closed_at is null) d
left join lateral (
    select * from truth.severity_rule r
    where r.kind = d.kind and r.attribute in (d.attribute, '*')
    order by r.attribute = '*'
    limit 1
) r on true;
comment on view truth.open_discrepancy is 'severity rises with age, and so is computed on reading';

create view truth.closed_discrepancy as
select
    discrepancy_id, person_key, attribute, source, stream, source_key, kind, stated, believed, stated_at, as_of,
    opened_at, closed_at, closed_because, closed_at - opened_at as took
from truth.discrepancy
where closed_at is not null;
