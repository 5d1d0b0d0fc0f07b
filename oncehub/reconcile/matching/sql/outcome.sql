-- Stores the results: links as verdicts, questions to clerks, oversized blocks, and the people named in
-- cases.
insert into verdict (
    source, stream, source_key, person_key, method, somebody_else, stated_at, probability, entry
)
select s.source, s.stream, s.source_key, m.person_key, 'model', false, s.stated_at, m.probability, s.entry
from matched m join stating s on s.entry = m.id;

insert into truth.oversized_block select distinct key, rule from oversized on conflict do nothing;

delete from truth.match_candidate m
using affected a
where (m.source, m.stream, m.source_key) = (a.source, a.stream, a.source_key);

insert into truth.match_candidate (source, stream, source_key, person_key)
select j.source, j.stream, j.source_key, p.person_key from possible_candidate p join unmatched j using (id);

insert into asked (kind, person_key, source, stream, source_key, evidence)
select 'possible_match', p.person_key, j.source, j.stream, j.source_key, p.evidence
from possible p join unmatched j using (id);
