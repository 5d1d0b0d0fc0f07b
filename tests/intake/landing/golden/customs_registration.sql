-- create_stage
create temporary table if not exists "new_customs_registration" on commit delete rows as
select source_key, "declarant_code", "kind", "name", "tax_code", "address", "phone", "status", "registered_on", stated_at from "record"."customs_registration" with no data;

-- count_any
select count(*) from (
    select from "record"."customs_registration" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."customs_registration" (source, stream, source_key, "declarant_code", "kind", "name", "tax_code", "address", "phone", "status", "registered_on", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."declarant_code", "new"."kind", "new"."name", "new"."tax_code", "new"."address", "new"."phone", "new"."status", "new"."registered_on", new.stated_at
from "pg_temp"."new_customs_registration" as new
where not exists (
    select from "record"."customs_registration" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key"
        and stored.deleted_at is null
        and ("stored"."declarant_code", "stored"."kind", "stored"."name", "stored"."tax_code", "stored"."address", "stored"."phone", "stored"."status", "stored"."registered_on", stored.stated_at) is not distinct from ("new"."declarant_code", "new"."kind", "new"."name", "new"."tax_code", "new"."address", "new"."phone", "new"."status", "new"."registered_on", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key") do update set
    ("declarant_code", "kind", "name", "tax_code", "address", "phone", "status", "registered_on", stated_at, received_at, deleted_at) = ("excluded"."declarant_code", "excluded"."kind", "excluded"."name", "excluded"."tax_code", "excluded"."address", "excluded"."phone", "excluded"."status", "excluded"."registered_on", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'customs_registration', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."customs_registration" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key"
        from "record"."customs_registration" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key") not in (select "new"."source_key" from "pg_temp"."new_customs_registration" as new)
))
returning source_key
)
insert into pg_temp.touched select 'customs_registration', source_key from written;

-- delete_records
with written as (update "record"."customs_registration" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'customs_registration', source_key from written;

