-- Which refused links are none any more, and why: a clerk ruled, or the record or the number's
-- owner was stated anew.
create temporary table closing on commit drop as
select
    d.discrepancy_id,
    case
        when d.kind = 'wrong_person' and not exists (
            select from truth.link k where k.person_key = d.person_key and k.method = 'register'
        ) then 'person_gone'
        when s.source is null then 'record_gone'
        when exists (
            select from truth.standing_ruling t
            where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                and t.verdict = 'same'
        ) then 'ruling'
        when s.stated_at is distinct from d.stated_at then 'corrected'
        else 'belief_changed'
    end as because
from (
    select discrepancy_id
    from open_before b
    where not exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (b.source, b.stream, b.source_key, b.attribute, b.person_key)
    )
) b
join truth.discrepancy d using (discrepancy_id)
left join stating s using (source, stream, source_key);
