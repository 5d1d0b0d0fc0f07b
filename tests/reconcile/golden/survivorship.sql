create temporary table statement on commit drop as

select k.person_key, source, stream, source_key, r.stated_at, k.method = any(ARRAY['national_id_9','tax_code','passport','model']) or truth.doubtful_personal_id(
    coalesce(r.personal_id, case when length(r.tax_code) = 12 then r.tax_code end), r.birth_date, r.sex
) as doubtful, "r"."personal_id", "r"."full_name", "r"."birth_date", "r"."sex", "r"."permanent_address", "r"."phone", "r"."email", "r"."life_status", "r"."tax_code", "r"."passport"
from linked k join record.person r using (source, stream, source_key)
where r.deleted_at is null
 and r.source <> 'population';
analyze statement (person_key, source);

-- The golden records of the touched people: the register's statement and, of the attributes on which other
-- sources are trusted, the first of the ranked statements. `*` in the provenance is the register's statement;
-- it holds for every attribute that is not named beside it.
create temporary table golden on commit drop as
with founder as (
    select person_key, stream, source_key from linked where method = 'register'
),
"winner_tax_code" as (
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, "statement"."tax_code" as value
    from statement
    where "statement"."tax_code" is not null and source = any(ARRAY['tax'])
    order by person_key, stated_at desc, array_position(ARRAY['tax'], source), stream, source_key
),
"winner_passport" as (
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, "statement"."passport" as value
    from statement
    where "statement"."passport" is not null and source = any(ARRAY['banking'])
    order by person_key, stated_at desc, array_position(ARRAY['banking'], source), stream, source_key
),
"winner_phone" as (
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, "statement"."phone" as value
    from statement
    where "statement"."phone" is not null and source = any(ARRAY['portal','banking','tax','customs'])
    order by person_key, (
    extract(epoch from stated_at)::float8 / 31557600.0
    + (array[ -0.15200309344504995,  -0.3219280948873623,  -0.7369655941662062,  -1.0])[array_position(ARRAY['portal','banking','tax','customs'], source)]
    + case when doubtful then  -1.0 else 0 end
) desc, stated_at desc, array_position(ARRAY['portal','banking','tax','customs'], source), stream, source_key
),
"winner_email" as (
    select distinct on (person_key)
        person_key, source, stream, source_key, stated_at, doubtful, "statement"."email" as value
    from statement
    where "statement"."email" is not null and source = any(ARRAY['portal','banking','tax','customs'])
    order by person_key, (
    extract(epoch from stated_at)::float8 / 31557600.0
    + (array[ -0.15200309344504995,  -0.3219280948873623,  -0.7369655941662062,  -1.0])[array_position(ARRAY['portal','banking','tax','customs'], source)]
    + case when doubtful then  -1.0 else 0 end
) desc, stated_at desc, array_position(ARRAY['portal','banking','tax','customs'], source), stream, source_key
)
select
    k.person_key, "f"."personal_id" as "personal_id",
    "f"."national_id_9" as "national_id_9",
    "winner_tax_code"."value" as "tax_code",
    "winner_passport"."value" as "passport",
    "f"."full_name" as "full_name",
    "f"."other_name" as "other_name",
    "f"."birth_date" as "birth_date",
    "f"."sex" as "sex",
    "f"."birth_place" as "birth_place",
    "f"."birth_registration_place" as "birth_registration_place",
    "f"."hometown" as "hometown",
    "f"."ethnicity" as "ethnicity",
    "f"."religion" as "religion",
    "f"."nationality" as "nationality",
    "f"."blood_type" as "blood_type",
    "f"."id_card" as "id_card",
    "f"."father" as "father",
    "f"."mother" as "mother",
    "f"."spouse" as "spouse",
    "f"."permanent_address" as "permanent_address",
    "f"."temporary_address" as "temporary_address",
    "f"."current_address" as "current_address",
    "f"."residence_file" as "residence_file",
    "f"."marital_status" as "marital_status",
    "f"."relation_to_head" as "relation_to_head",
    "f"."household_head" as "household_head",
    "f"."life_status" as "life_status",
    "f"."death_date" as "death_date",
    "winner_phone"."value" as "phone",
    "winner_email"."value" as "email",
    jsonb_strip_nulls(jsonb_build_object('*', case when "f".source is not null then jsonb_build_object('source', "f".source, 'stream', "f".stream, 'source_key', "f".source_key, 'as_of', "f".stated_at, 'rule', 'authority', 'doubtful', null::boolean) end,
    'tax_code', case when "winner_tax_code".source is not null then jsonb_build_object('source', "winner_tax_code".source, 'stream', "winner_tax_code".stream, 'source_key', "winner_tax_code".source_key, 'as_of', "winner_tax_code".stated_at, 'rule', 'authority', 'doubtful', nullif("winner_tax_code"."doubtful", false)) end,
    'passport', case when "winner_passport".source is not null then jsonb_build_object('source', "winner_passport".source, 'stream', "winner_passport".stream, 'source_key', "winner_passport".source_key, 'as_of', "winner_passport".stated_at, 'rule', 'authority', 'doubtful', nullif("winner_passport"."doubtful", false)) end,
    'phone', case when "winner_phone".source is not null then jsonb_build_object('source', "winner_phone".source, 'stream', "winner_phone".stream, 'source_key', "winner_phone".source_key, 'as_of', "winner_phone".stated_at, 'rule', 'trust', 'doubtful', nullif("winner_phone"."doubtful", false)) end,
    'email', case when "winner_email".source is not null then jsonb_build_object('source', "winner_email".source, 'stream', "winner_email".stream, 'source_key', "winner_email".source_key, 'as_of', "winner_email".stated_at, 'rule', 'trust', 'doubtful', nullif("winner_email"."doubtful", false)) end)) as provenance
from founder k
join record.person f
    on f.source = 'population' and f.deleted_at is null
    and (f.stream, f.source_key) = (k.stream, k.source_key)
left join "winner_tax_code" on "winner_tax_code".person_key = k.person_key
left join "winner_passport" on "winner_passport".person_key = k.person_key
left join "winner_phone" on "winner_phone".person_key = k.person_key
left join "winner_email" on "winner_email".person_key = k.person_key;
create unique index on golden (person_key);
analyze golden (person_key);

-- How the golden records differ from the stored ones. A shard is a range of keys: nothing outside it is read.
-- resourced: an equal value rests on another record, or another rule; a younger statement alone does not
-- count.
create temporary table golden_change on commit drop as
select
    n.person_key,
    case when o.person_key is null then 'created' else 'changed' end as kind,
    array_remove(array[case when "o"."personal_id" is distinct from "n"."personal_id" then 'personal_id' end,
        case when "o"."national_id_9" is distinct from "n"."national_id_9" then 'national_id_9' end,
        case when "o"."tax_code" is distinct from "n"."tax_code" then 'tax_code' end,
        case when "o"."passport" is distinct from "n"."passport" then 'passport' end,
        case when "o"."full_name" is distinct from "n"."full_name" then 'full_name' end,
        case when "o"."other_name" is distinct from "n"."other_name" then 'other_name' end,
        case when "o"."birth_date" is distinct from "n"."birth_date" then 'birth_date' end,
        case when "o"."sex" is distinct from "n"."sex" then 'sex' end,
        case when "o"."birth_place" is distinct from "n"."birth_place" then 'birth_place' end,
        case when "o"."birth_registration_place" is distinct from "n"."birth_registration_place" then 'birth_registration_place' end,
        case when "o"."hometown" is distinct from "n"."hometown" then 'hometown' end,
        case when "o"."ethnicity" is distinct from "n"."ethnicity" then 'ethnicity' end,
        case when "o"."religion" is distinct from "n"."religion" then 'religion' end,
        case when "o"."nationality" is distinct from "n"."nationality" then 'nationality' end,
        case when "o"."blood_type" is distinct from "n"."blood_type" then 'blood_type' end,
        case when "o"."id_card" is distinct from "n"."id_card" then 'id_card' end,
        case when "o"."father" is distinct from "n"."father" then 'father' end,
        case when "o"."mother" is distinct from "n"."mother" then 'mother' end,
        case when "o"."spouse" is distinct from "n"."spouse" then 'spouse' end,
        case when "o"."permanent_address" is distinct from "n"."permanent_address" then 'permanent_address' end,
        case when "o"."temporary_address" is distinct from "n"."temporary_address" then 'temporary_address' end,
        case when "o"."current_address" is distinct from "n"."current_address" then 'current_address' end,
        case when "o"."residence_file" is distinct from "n"."residence_file" then 'residence_file' end,
        case when "o"."marital_status" is distinct from "n"."marital_status" then 'marital_status' end,
        case when "o"."relation_to_head" is distinct from "n"."relation_to_head" then 'relation_to_head' end,
        case when "o"."household_head" is distinct from "n"."household_head" then 'household_head' end,
        case when "o"."life_status" is distinct from "n"."life_status" then 'life_status' end,
        case when "o"."death_date" is distinct from "n"."death_date" then 'death_date' end,
        case when "o"."phone" is distinct from "n"."phone" then 'phone' end,
        case when "o"."email" is distinct from "n"."email" then 'email' end], null) as attributes,
    o.person_key is not null and exists (
        select from jsonb_each(n.provenance) e
        where e.value - 'as_of' is distinct from (o.provenance -> e.key) - 'as_of'
    ) as resourced
from golden n
left join truth.person o
    on o.person_key = n.person_key and o.person_key between %(first)s::uuid and %(last)s::uuid
where o.person_key is null or o.provenance <> n.provenance
    or ("o"."personal_id", "o"."national_id_9", "o"."tax_code", "o"."passport", "o"."full_name", "o"."other_name", "o"."birth_date", "o"."sex", "o"."birth_place", "o"."birth_registration_place", "o"."hometown", "o"."ethnicity", "o"."religion", "o"."nationality", "o"."blood_type", "o"."id_card", "o"."father", "o"."mother", "o"."spouse", "o"."permanent_address", "o"."temporary_address", "o"."current_address", "o"."residence_file", "o"."marital_status", "o"."relation_to_head", "o"."household_head", "o"."life_status", "o"."death_date", "o"."phone", "o"."email") is distinct from ("n"."personal_id", "n"."national_id_9", "n"."tax_code", "n"."passport", "n"."full_name", "n"."other_name", "n"."birth_date", "n"."sex", "n"."birth_place", "n"."birth_registration_place", "n"."hometown", "n"."ethnicity", "n"."religion", "n"."nationality", "n"."blood_type", "n"."id_card", "n"."father", "n"."mother", "n"."spouse", "n"."permanent_address", "n"."temporary_address", "n"."current_address", "n"."residence_file", "n"."marital_status", "n"."relation_to_head", "n"."household_head", "n"."life_status", "n"."death_date", "n"."phone", "n"."email")
union all
select o.person_key, 'removed', array_remove(array[case when "o"."personal_id" is not null then 'personal_id' end,
        case when "o"."national_id_9" is not null then 'national_id_9' end,
        case when "o"."tax_code" is not null then 'tax_code' end,
        case when "o"."passport" is not null then 'passport' end,
        case when "o"."full_name" is not null then 'full_name' end,
        case when "o"."other_name" is not null then 'other_name' end,
        case when "o"."birth_date" is not null then 'birth_date' end,
        case when "o"."sex" is not null then 'sex' end,
        case when "o"."birth_place" is not null then 'birth_place' end,
        case when "o"."birth_registration_place" is not null then 'birth_registration_place' end,
        case when "o"."hometown" is not null then 'hometown' end,
        case when "o"."ethnicity" is not null then 'ethnicity' end,
        case when "o"."religion" is not null then 'religion' end,
        case when "o"."nationality" is not null then 'nationality' end,
        case when "o"."blood_type" is not null then 'blood_type' end,
        case when "o"."id_card" is not null then 'id_card' end,
        case when "o"."father" is not null then 'father' end,
        case when "o"."mother" is not null then 'mother' end,
        case when "o"."spouse" is not null then 'spouse' end,
        case when "o"."permanent_address" is not null then 'permanent_address' end,
        case when "o"."temporary_address" is not null then 'temporary_address' end,
        case when "o"."current_address" is not null then 'current_address' end,
        case when "o"."residence_file" is not null then 'residence_file' end,
        case when "o"."marital_status" is not null then 'marital_status' end,
        case when "o"."relation_to_head" is not null then 'relation_to_head' end,
        case when "o"."household_head" is not null then 'household_head' end,
        case when "o"."life_status" is not null then 'life_status' end,
        case when "o"."death_date" is not null then 'death_date' end,
        case when "o"."phone" is not null then 'phone' end,
        case when "o"."email" is not null then 'email' end], null), false
from touched_person t join truth.person o using (person_key)
where o.person_key between %(first)s::uuid and %(last)s::uuid
    and not exists (select from golden n where n.person_key = t.person_key);
create unique index on golden_change (person_key);
analyze golden_change (person_key, kind);

-- Keeps the previous version of golden records of which a value, or the record that it rests on, has changed.
insert into truth.person_version (person_key, believed_from, believed_until, believed, provenance)
select
    o.person_key, o.believed_from, greatest(now(), o.believed_from + interval '1 microsecond'),
    jsonb_strip_nulls(
        to_jsonb(o) - array['person_key', 'provenance', 'believed_from']
    ),
    o.provenance
from golden_change s join truth.person o using (person_key)
where s.kind <> 'created' and (s.attributes <> '{}' or s.resourced)
    and o.person_key between %(first)s::uuid and %(last)s::uuid;

insert into truth.person (person_key, "personal_id", "national_id_9", "tax_code", "passport", "full_name", "other_name", "birth_date", "sex", "birth_place", "birth_registration_place", "hometown", "ethnicity", "religion", "nationality", "blood_type", "id_card", "father", "mother", "spouse", "permanent_address", "temporary_address", "current_address", "residence_file", "marital_status", "relation_to_head", "household_head", "life_status", "death_date", "phone", "email", provenance, believed_from)
select person_key, "n"."personal_id", "n"."national_id_9", "n"."tax_code", "n"."passport", "n"."full_name", "n"."other_name", "n"."birth_date", "n"."sex", "n"."birth_place", "n"."birth_registration_place", "n"."hometown", "n"."ethnicity", "n"."religion", "n"."nationality", "n"."blood_type", "n"."id_card", "n"."father", "n"."mother", "n"."spouse", "n"."permanent_address", "n"."temporary_address", "n"."current_address", "n"."residence_file", "n"."marital_status", "n"."relation_to_head", "n"."household_head", "n"."life_status", "n"."death_date", "n"."phone", "n"."email", n.provenance, now()
from golden n join golden_change s using (person_key)
where s.kind = 'created'
order by person_key;

-- A statement that is only repeated at a later time makes no new version.
update truth.person o
set "personal_id" = "n"."personal_id",
    "national_id_9" = "n"."national_id_9",
    "tax_code" = "n"."tax_code",
    "passport" = "n"."passport",
    "full_name" = "n"."full_name",
    "other_name" = "n"."other_name",
    "birth_date" = "n"."birth_date",
    "sex" = "n"."sex",
    "birth_place" = "n"."birth_place",
    "birth_registration_place" = "n"."birth_registration_place",
    "hometown" = "n"."hometown",
    "ethnicity" = "n"."ethnicity",
    "religion" = "n"."religion",
    "nationality" = "n"."nationality",
    "blood_type" = "n"."blood_type",
    "id_card" = "n"."id_card",
    "father" = "n"."father",
    "mother" = "n"."mother",
    "spouse" = "n"."spouse",
    "permanent_address" = "n"."permanent_address",
    "temporary_address" = "n"."temporary_address",
    "current_address" = "n"."current_address",
    "residence_file" = "n"."residence_file",
    "marital_status" = "n"."marital_status",
    "relation_to_head" = "n"."relation_to_head",
    "household_head" = "n"."household_head",
    "life_status" = "n"."life_status",
    "death_date" = "n"."death_date",
    "phone" = "n"."phone",
    "email" = "n"."email",
    provenance = n.provenance,
    believed_from = case
        when s.attributes <> '{}' or s.resourced
        then greatest(now(), o.believed_from + interval '1 microsecond') else o.believed_from
    end
from golden n join golden_change s using (person_key)
where o.person_key = n.person_key and s.kind = 'changed'
    and o.person_key between %(first)s::uuid and %(last)s::uuid;

delete from truth.person o
using golden_change s
where o.person_key = s.person_key and s.kind = 'removed';

-- The outbox of everything that leaves the hub is written with the change itself.
insert into share.change (person_key, kind, attributes)
select person_key, kind, attributes
from golden_change
where attributes <> '{}'
order by person_key;
