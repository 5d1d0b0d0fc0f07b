-- Which of the touched people's disagreements are none any more, and why.
create temporary table closing on commit drop as
select
    d.discrepancy_id,
    case
        when p.person_key is null then 'person_gone'
        when s.person_key is null then
            case
                when r.source is null then 'record_gone'
                when exists (
                    select from truth.standing_ruling t
                    where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                        and (t.person_key = d.person_key or t.verdict = 'same')
                ) then 'ruling'
                else 'unlinked'
            end
        when d.kind = 'duplicate' or d.stated is distinct from nullif(to_jsonb(s) -> d.attribute, 'null') then
            'corrected'
        when d.believed is distinct from nullif(to_jsonb(p) -> d.attribute, 'null') then 'belief_changed'
        else 'rules_changed'
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
left join believed p using (person_key)
left join statement s using (person_key, source, stream, source_key)
left join record.person r
    on (r.source, r.stream, r.source_key) = (d.source, d.stream, d.source_key) and r.deleted_at is null;
