-- create_stage
create temporary table if not exists "new_tax_registration" on commit delete rows as
select source_key, "tax_code", "status", "tax_office", "registered_on", stated_at from "record"."tax_registration" with no data;

-- count_any
select count(*) from (
    select from "record"."tax_registration" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."tax_registration" (source, stream, source_key, "tax_code", "status", "tax_office", "registered_on", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."tax_code", "new"."status", "new"."tax_office", "new"."registered_on", new.stated_at
from "pg_temp"."new_tax_registration" as new
where not exists (
    select from "record"."tax_registration" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key"
        and stored.deleted_at is null
        and ("stored"."tax_code", "stored"."status", "stored"."tax_office", "stored"."registered_on", stored.stated_at) is not distinct from ("new"."tax_code", "new"."status", "new"."tax_office", "new"."registered_on", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key") do update set
    ("tax_code", "status", "tax_office", "registered_on", stated_at, received_at, deleted_at) = ("excluded"."tax_code", "excluded"."status", "excluded"."tax_office", "excluded"."registered_on", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'tax_registration', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."tax_registration" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key"
        from "record"."tax_registration" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key") not in (select "new"."source_key" from "pg_temp"."new_tax_registration" as new)
))
returning source_key
)
insert into pg_temp.touched select 'tax_registration', source_key from written;

-- delete_records
with written as (update "record"."tax_registration" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'tax_registration', source_key from written;

