-- Records that share a key with somebody who changed, or were linked to, or possible for, them until now.
insert into drawn
select source, stream, source_key
from (
    select m.source, m.stream, m.source_key
    from changed_key join truth.match_key k using (key) join truth.match_record m using (entry)
    union
    select m.source, m.stream, m.source_key from changed join truth.match_candidate m using (person_key)
    union
    select k.source, k.stream, k.source_key
    from changed join truth.link k using (person_key)
    where k.method = 'model'
) d
where not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (d.source, d.stream, d.source_key)
);
truncate changed, changed_key, wanted, teller;
