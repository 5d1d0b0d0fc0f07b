-- What this run is to link, each record once. A mark commits with what it marks, so the rows seen here have
-- theirs in sight of every later statement; a mark that commits from now on stays, and the next run takes it.
create temporary table dirty_record (source text, stream text, source_key text) on commit drop;

with taken as (
    delete from intake.dirty returning source, stream, source_key
)
insert into dirty_record
select distinct source, stream, source_key from taken order by source, stream, source_key;
analyze dirty_record;
