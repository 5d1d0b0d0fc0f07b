-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', {method},
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = {scheme} and i.value = text.identifying({scheme}, {attribute})
where {usable} and i.contested and {in_force}
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;
