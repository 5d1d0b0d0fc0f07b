-- The records that this run links, each once. A mark is committed with the record that it marks, so that
-- every later statement sees the records of the marks taken here. Marks that are committed later are left to
-- the next run.
create temporary table dirty_record (source text, stream text, source_key text) on commit drop;

with taken as (
    delete from intake.dirty returning source, stream, source_key
)
insert into dirty_record
select distinct source, stream, source_key from taken order by source, stream, source_key;
analyze dirty_record;
