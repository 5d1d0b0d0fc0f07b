-- The records that this run links, each once. A mark is committed with the record that it marks, so that
-- every later statement sees the records of the marks taken here. Marks that are committed later are left to
-- the next run. The landings that changed records are noted in the same statement, hence as of the same
-- moment.
create temporary table dirty_record (source text, stream text, source_key text) on commit drop;

with taken as (
    delete from intake.dirty returning source, stream, source_key
),
landed as (
    insert into truth.run_landing (run_id, landing, changed)
    select %(run)s, landing.run_id, landing.accepted + landing.deleted
    from intake.run as landing
    where landing.accepted + landing.deleted > coalesce(
        (select max(noted.changed) from truth.run_landing as noted where noted.landing = landing.run_id), 0
    )
    on conflict (run_id, landing) do update set changed = excluded.changed
)
insert into dirty_record
select distinct source, stream, source_key from taken order by source, stream, source_key;
analyze dirty_record;
