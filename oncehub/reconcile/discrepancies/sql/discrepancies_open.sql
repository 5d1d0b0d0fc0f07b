insert into truth.discrepancy
    (person_key, attribute, source, stream, source_key, kind, stated, believed, stated_at, as_of)
select f.person_key, f.attribute, f.source, f.stream, f.source_key, f.kind,
    f.stated, f.believed, f.stated_at, f.as_of
from found f
where not exists (
    select from open_before b
    where (b.source, b.stream, b.source_key, b.attribute, b.person_key)
        = (f.source, f.stream, f.source_key, f.attribute, f.person_key)
);
