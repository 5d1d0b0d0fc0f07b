-- The golden records of the touched people: the register's statement and, of the attributes on which other
-- sources are trusted, the first of the ranked statements. `*` in the provenance is the register's statement;
-- it holds for every attribute that is not named beside it.
create temporary table golden on commit drop as
with founder as (
    select person_key, stream, source_key from linked where method = 'register'
){winners}
select
    k.person_key, {values},
    jsonb_strip_nulls(jsonb_build_object('*', {register_origin}{origins})) as provenance
from founder k
join record.person f
    on f.source = {register} and f.deleted_at is null
    and (f.stream, f.source_key) = (k.stream, k.source_key)
{joins};
create unique index on golden (person_key);
analyze golden (person_key);
