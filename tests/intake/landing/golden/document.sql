-- create_stage
create temporary table if not exists "new_document" on commit delete rows as
select source_key, "file_id", "name", "component_code", "digitised", "reusable", "from_repository", "replaced_by", stated_at from "record"."document" with no data;

-- count_any
select count(*) from (
    select from "record"."document" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."document" (source, stream, source_key, "file_id", "name", "component_code", "digitised", "reusable", "from_repository", "replaced_by", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."file_id", "new"."name", "new"."component_code", "new"."digitised", "new"."reusable", "new"."from_repository", "new"."replaced_by", new.stated_at
from "pg_temp"."new_document" as new
where not exists (
    select from "record"."document" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key" and "stored"."file_id" = "new"."file_id"
        and stored.deleted_at is null
        and ("stored"."file_id", "stored"."name", "stored"."component_code", "stored"."digitised", "stored"."reusable", "stored"."from_repository", "stored"."replaced_by", stored.stated_at) is not distinct from ("new"."file_id", "new"."name", "new"."component_code", "new"."digitised", "new"."reusable", "new"."from_repository", "new"."replaced_by", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key", "file_id") do update set
    ("file_id", "name", "component_code", "digitised", "reusable", "from_repository", "replaced_by", stated_at, received_at, deleted_at) = ("excluded"."file_id", "excluded"."name", "excluded"."component_code", "excluded"."digitised", "excluded"."reusable", "excluded"."from_repository", "excluded"."replaced_by", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'document', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."document" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key", "stored"."file_id"
        from "record"."document" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key", "former"."file_id") not in (select "new"."source_key", "new"."file_id" from "pg_temp"."new_document" as new)
))
returning source_key
)
insert into pg_temp.touched select 'document', source_key from written;

-- delete_records
with written as (update "record"."document" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'document', source_key from written;

