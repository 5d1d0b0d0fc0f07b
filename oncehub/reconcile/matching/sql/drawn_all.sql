-- When much has changed, asking for whom it matters costs more than judging everybody whom a model judges.
truncate truth.match_crowd;
insert into drawn
select source, stream, source_key
from truth.match_record m
where not exists (
    select from affected a where (a.source, a.stream, a.source_key) = (m.source, m.stream, m.source_key)
);
