-- create_stage
create temporary table if not exists "new_person" on commit delete rows as
select source_key, "personal_id", "national_id_9", "tax_code", "passport", "full_name", "other_name", "birth_date", "sex", "birth_place", "birth_registration_place", "hometown", "ethnicity", "religion", "nationality", "blood_type", "id_card", "father", "mother", "spouse", "permanent_address", "temporary_address", "current_address", "residence_file", "marital_status", "relation_to_head", "household_head", "life_status", "death_date", "phone", "email", stated_at from "record"."person" with no data;

-- count_any
select count(*) from (
    select from "record"."person" where source = %(source)s and stream = %(stream)s and deleted_at is null limit 1
) as live;

-- upsert
with written as (insert into "record"."person" (source, stream, source_key, "personal_id", "national_id_9", "tax_code", "passport", "full_name", "other_name", "birth_date", "sex", "birth_place", "birth_registration_place", "hometown", "ethnicity", "religion", "nationality", "blood_type", "id_card", "father", "mother", "spouse", "permanent_address", "temporary_address", "current_address", "residence_file", "marital_status", "relation_to_head", "household_head", "life_status", "death_date", "phone", "email", stated_at)
select %(source)s, %(stream)s, new.source_key, "new"."personal_id", "new"."national_id_9", "new"."tax_code", "new"."passport", "new"."full_name", "new"."other_name", "new"."birth_date", "new"."sex", "new"."birth_place", "new"."birth_registration_place", "new"."hometown", "new"."ethnicity", "new"."religion", "new"."nationality", "new"."blood_type", "new"."id_card", "new"."father", "new"."mother", "new"."spouse", "new"."permanent_address", "new"."temporary_address", "new"."current_address", "new"."residence_file", "new"."marital_status", "new"."relation_to_head", "new"."household_head", "new"."life_status", "new"."death_date", "new"."phone", "new"."email", new.stated_at
from "pg_temp"."new_person" as new
where not exists (
    select from "record"."person" as stored
    where stored.source = %(source)s and stored.stream = %(stream)s and "stored"."source_key" = "new"."source_key"
        and stored.deleted_at is null
        and ("stored"."personal_id", "stored"."national_id_9", "stored"."tax_code", "stored"."passport", "stored"."full_name", "stored"."other_name", "stored"."birth_date", "stored"."sex", "stored"."birth_place", "stored"."birth_registration_place", "stored"."hometown", "stored"."ethnicity", "stored"."religion", "stored"."nationality", "stored"."blood_type", "stored"."id_card", "stored"."father", "stored"."mother", "stored"."spouse", "stored"."permanent_address", "stored"."temporary_address", "stored"."current_address", "stored"."residence_file", "stored"."marital_status", "stored"."relation_to_head", "stored"."household_head", "stored"."life_status", "stored"."death_date", "stored"."phone", "stored"."email", stored.stated_at) is not distinct from ("new"."personal_id", "new"."national_id_9", "new"."tax_code", "new"."passport", "new"."full_name", "new"."other_name", "new"."birth_date", "new"."sex", "new"."birth_place", "new"."birth_registration_place", "new"."hometown", "new"."ethnicity", "new"."religion", "new"."nationality", "new"."blood_type", "new"."id_card", "new"."father", "new"."mother", "new"."spouse", "new"."permanent_address", "new"."temporary_address", "new"."current_address", "new"."residence_file", "new"."marital_status", "new"."relation_to_head", "new"."household_head", "new"."life_status", "new"."death_date", "new"."phone", "new"."email", new.stated_at)
    offset 0
)
on conflict ("source", "stream", "source_key") do update set
    ("personal_id", "national_id_9", "tax_code", "passport", "full_name", "other_name", "birth_date", "sex", "birth_place", "birth_registration_place", "hometown", "ethnicity", "religion", "nationality", "blood_type", "id_card", "father", "mother", "spouse", "permanent_address", "temporary_address", "current_address", "residence_file", "marital_status", "relation_to_head", "household_head", "life_status", "death_date", "phone", "email", stated_at, received_at, deleted_at) = ("excluded"."personal_id", "excluded"."national_id_9", "excluded"."tax_code", "excluded"."passport", "excluded"."full_name", "excluded"."other_name", "excluded"."birth_date", "excluded"."sex", "excluded"."birth_place", "excluded"."birth_registration_place", "excluded"."hometown", "excluded"."ethnicity", "excluded"."religion", "excluded"."nationality", "excluded"."blood_type", "excluded"."id_card", "excluded"."father", "excluded"."mother", "excluded"."spouse", "excluded"."permanent_address", "excluded"."temporary_address", "excluded"."current_address", "excluded"."residence_file", "excluded"."marital_status", "excluded"."relation_to_head", "excluded"."household_head", "excluded"."life_status", "excluded"."death_date", "excluded"."phone", "excluded"."email", excluded.stated_at, now(), null)
returning source_key
)
insert into pg_temp.touched select 'person', source_key from written;

-- drop_unstated
with written as (-- The inner select hardly ever finds a row; ctid then leads to it without reading the table again.
update "record"."person" as stored set deleted_at = now()
where stored.source = %(source)s and stored.ctid = any (array(
    select former.ctid
    from pg_temp.restated, lateral (
        select stored.ctid, "stored"."source_key"
        from "record"."person" as stored
        where stored.source = %(source)s and stored.stream = %(stream)s
            and stored.source_key = restated.source_key and stored.deleted_at is null
        offset 0
    ) as former
    where ("former"."source_key") not in (select "new"."source_key" from "pg_temp"."new_person" as new)
))
returning source_key
)
insert into pg_temp.touched select 'person', source_key from written;

-- delete_records
with written as (update "record"."person" as stored set deleted_at = now()
where stored.source = %(source)s and stored.stream = %(stream)s and stored.deleted_at is null
    and stored.source_key in (select source_key from pg_temp.deleted)
returning source_key
)
insert into pg_temp.touched select 'person', source_key from written;

