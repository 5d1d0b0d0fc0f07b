create or replace function truth.note_change() returns trigger
    language plpgsql as $$
begin
    new.changed_in := hub.transaction_number();
    return new;
end
$$;

create or replace trigger discrepancy_changed before update on truth.discrepancy
    for each row when (new.changed_in = old.changed_in) execute function truth.note_change();

create or replace view truth.open_discrepancy as
select
    d.discrepancy_id, d.person_key, d.attribute, d.source, d.stream, d.source_key, d.kind,
    case
        when r.opens = 'high' or d.age >= r.high_after then 'high'
        when r.opens = 'medium' or d.age >= r.medium_after then 'medium'
        else 'low'
    end as severity,
    d.source_value, d.golden_value, d.stated_at, d.as_of, d.opened_at, d.age
from (select *, now() - opened_at as age from truth.discrepancy where closed_at is null) d
left join lateral (
    select * from truth.severity_rule r
    where r.kind = d.kind and r.attribute in (d.attribute, '*')
    order by r.attribute = '*'
    limit 1
) r on true;
comment on view truth.open_discrepancy is
    'open discrepancies; severity rises with age and is therefore computed when the view is read';

create or replace view truth.closed_discrepancy as
select
    discrepancy_id, person_key, attribute, source, stream, source_key, kind, source_value, golden_value,
    stated_at, as_of, opened_at, closed_at, closed_because, closed_at - opened_at as resolution_time
from truth.discrepancy
where closed_at is not null;
