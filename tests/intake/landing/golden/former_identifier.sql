-- create_stage
create temporary table if not exists "new_former_identifier" on commit delete rows as
select source_key, "personal_id", "valid_from", "valid_until", stated_at from "record"."former_identifier" with no data;

-- count_any
select count(*) from (
    select from "record"."former_identifier" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."former_identifier" (source, stream, source_key, "personal_id", "valid_from", "valid_until", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."personal_id", "new"."valid_from", "new"."valid_until", new.stated_at
from "pg_temp"."new_former_identifier" as new
where not exists (
    select from "record"."former_identifier" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key" and "stored"."personal_id" = "new"."personal_id"
        and stored.deleted_at is null
        and ("stored"."personal_id", "stored"."valid_from", "stored"."valid_until", stored.stated_at) is not distinct from ("new"."personal_id", "new"."valid_from", "new"."valid_until", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key", "personal_id") do update set
    ("personal_id", "valid_from", "valid_until", stated_at, received_at, deleted_at) = ("excluded"."personal_id", "excluded"."valid_from", "excluded"."valid_until", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'former_identifier', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."former_identifier" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key", "stored"."personal_id"
        from "record"."former_identifier" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key", "former"."personal_id") not in (select "new"."source_key", "new"."personal_id" from "pg_temp"."new_former_identifier" as new)
))
returning source_key
)
insert into pg_temp.touched select 'former_identifier', source_key from written;

-- delete_records
with written as (update "record"."former_identifier" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'former_identifier', source_key from written;

