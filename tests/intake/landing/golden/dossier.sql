-- create_stage
create temporary table if not exists "new_dossier" on commit delete rows as
select source_key, "code", "procedure_code", "procedure_name", "channel", "owner_personal_id", "owner_name", "owner_account", "status", "agency", "accepted_at", "due_at", "decided_at", "returned_at", "digitised", "verified_by_vneid", stated_at from "record"."dossier" with no data;

-- count_any
select count(*) from (
    select from "record"."dossier" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."dossier" (source, stream, source_key, "code", "procedure_code", "procedure_name", "channel", "owner_personal_id", "owner_name", "owner_account", "status", "agency", "accepted_at", "due_at", "decided_at", "returned_at", "digitised", "verified_by_vneid", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."code", "new"."procedure_code", "new"."procedure_name", "new"."channel", "new"."owner_personal_id", "new"."owner_name", "new"."owner_account", "new"."status", "new"."agency", "new"."accepted_at", "new"."due_at", "new"."decided_at", "new"."returned_at", "new"."digitised", "new"."verified_by_vneid", new.stated_at
from "pg_temp"."new_dossier" as new
where not exists (
    select from "record"."dossier" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key"
        and stored.deleted_at is null
        and ("stored"."code", "stored"."procedure_code", "stored"."procedure_name", "stored"."channel", "stored"."owner_personal_id", "stored"."owner_name", "stored"."owner_account", "stored"."status", "stored"."agency", "stored"."accepted_at", "stored"."due_at", "stored"."decided_at", "stored"."returned_at", "stored"."digitised", "stored"."verified_by_vneid", stored.stated_at) is not distinct from ("new"."code", "new"."procedure_code", "new"."procedure_name", "new"."channel", "new"."owner_personal_id", "new"."owner_name", "new"."owner_account", "new"."status", "new"."agency", "new"."accepted_at", "new"."due_at", "new"."decided_at", "new"."returned_at", "new"."digitised", "new"."verified_by_vneid", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key") do update set
    ("code", "procedure_code", "procedure_name", "channel", "owner_personal_id", "owner_name", "owner_account", "status", "agency", "accepted_at", "due_at", "decided_at", "returned_at", "digitised", "verified_by_vneid", stated_at, received_at, deleted_at) = ("excluded"."code", "excluded"."procedure_code", "excluded"."procedure_name", "excluded"."channel", "excluded"."owner_personal_id", "excluded"."owner_name", "excluded"."owner_account", "excluded"."status", "excluded"."agency", "excluded"."accepted_at", "excluded"."due_at", "excluded"."decided_at", "excluded"."returned_at", "excluded"."digitised", "excluded"."verified_by_vneid", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'dossier', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."dossier" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key"
        from "record"."dossier" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key") not in (select "new"."source_key" from "pg_temp"."new_dossier" as new)
))
returning source_key
)
insert into pg_temp.touched select 'dossier', source_key from written;

-- delete_records
with written as (update "record"."dossier" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'dossier', source_key from written;

