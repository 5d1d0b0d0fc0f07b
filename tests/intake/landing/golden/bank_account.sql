-- create_stage
create temporary table if not exists "new_bank_account" on commit delete rows as
select source_key, "account_number", "status", "currency", "opened_on", "consent_reference", stated_at from "record"."bank_account" with no data;

-- count_any
select count(*) from (
    select from "record"."bank_account" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."bank_account" (source, stream, source_key, "account_number", "status", "currency", "opened_on", "consent_reference", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."account_number", "new"."status", "new"."currency", "new"."opened_on", "new"."consent_reference", new.stated_at
from "pg_temp"."new_bank_account" as new
where not exists (
    select from "record"."bank_account" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key"
        and stored.deleted_at is null
        and ("stored"."account_number", "stored"."status", "stored"."currency", "stored"."opened_on", "stored"."consent_reference", stored.stated_at) is not distinct from ("new"."account_number", "new"."status", "new"."currency", "new"."opened_on", "new"."consent_reference", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key") do update set
    ("account_number", "status", "currency", "opened_on", "consent_reference", stated_at, received_at, deleted_at) = ("excluded"."account_number", "excluded"."status", "excluded"."currency", "excluded"."opened_on", "excluded"."consent_reference", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'bank_account', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."bank_account" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key"
        from "record"."bank_account" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key") not in (select "new"."source_key" from "pg_temp"."new_bank_account" as new)
))
returning source_key
)
insert into pg_temp.touched select 'bank_account', source_key from written;

-- delete_records
with written as (update "record"."bank_account" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'bank_account', source_key from written;

