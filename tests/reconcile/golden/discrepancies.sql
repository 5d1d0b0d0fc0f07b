-- Compares what records state (`statement`) with the golden records (`golden`): one line in `found` for each
-- attribute of a record that differs.
with compared as (
    select s.person_key, s.source, s.stream, s.source_key, s.stated_at, p.provenance, case
    when p."personal_id" is null then null
    when s."personal_id" is null then case when s.source = any(ARRAY['portal','tax','customs','banking']) then 'missing' end
    when s."personal_id" = p."personal_id" or "s"."personal_id" = "p"."personal_id" then case when false then 'form' end
    when truth.doubtful_personal_id(s.personal_id, p.birth_date, p.sex) then 'invalid'
    else 'conflict'
end as "kind_personal_id", s."personal_id" as "stated_personal_id", p."personal_id" as "believed_personal_id",
        case
    when p."full_name" is null then null
    when s."full_name" is null then case when s.source = any('{}') then 'missing' end
    when s."full_name" = p."full_name" or ("s"."full_name" = "p"."full_name" or text.fold_name("s"."full_name") = text.fold_name("p"."full_name")) then case when false then 'form' end
    when false then 'invalid'
    else 'conflict'
end as "kind_full_name", s."full_name" as "stated_full_name", p."full_name" as "believed_full_name",
        case
    when p."birth_date" is null then null
    when s."birth_date" is null then case when s.source = any('{}') then 'missing' end
    when s."birth_date" = p."birth_date" or truth.same_partial_date("s"."birth_date", "p"."birth_date") then case when length("s"."birth_date") < length("p"."birth_date") then 'form' end
    when (left("s"."birth_date", 4)::int not between date_part('year', s.stated_at) - 130 and date_part('year', s.stated_at)) then 'invalid'
    else 'conflict'
end as "kind_birth_date", s."birth_date" as "stated_birth_date", p."birth_date" as "believed_birth_date",
        case
    when p."sex" is null then null
    when s."sex" is null then case when s.source = any('{}') then 'missing' end
    when s."sex" = p."sex" or "s"."sex" = "p"."sex" then case when false then 'form' end
    when false then 'invalid'
    else 'conflict'
end as "kind_sex", s."sex" as "stated_sex", p."sex" as "believed_sex",
        case
    when p."permanent_address" is null then null
    when s."permanent_address" is null then case when s.source = any('{}') then 'missing' end
    when s."permanent_address" = p."permanent_address" or -- Whether two addresses agree: each commune code is read in the catalogue in force on the day that the
-- address names (`edition`). A commune of the earlier catalogue equals the later commune that it became; one
-- that was split equals each of them (Nghị quyết 202/2025/QH15). A part that one side leaves out is no
-- difference, nor is a missing `edition`: such a code may stand in either catalogue.
(
    "s"."permanent_address" = "p"."permanent_address"
    or case
        when "s"."permanent_address" ->> 'unit' is null or "p"."permanent_address" ->> 'unit' is null then true
        when coalesce(
            ("s"."permanent_address" ->> 'edition' >= '2025-07-01') = ("p"."permanent_address" ->> 'edition' >= '2025-07-01'),
            "s"."permanent_address" ->> 'unit' = "p"."permanent_address" ->> 'unit'
        ) then "s"."permanent_address" ->> 'unit' = "p"."permanent_address" ->> 'unit'
        when coalesce(("s"."permanent_address" ->> 'edition' >= '2025-07-01') < ("p"."permanent_address" ->> 'edition' >= '2025-07-01'), true) and exists (
            select from truth.unit_successor u
            where u.former_unit = "s"."permanent_address" ->> 'unit' and u.present_unit = "p"."permanent_address" ->> 'unit'
        ) then true
        when coalesce(("s"."permanent_address" ->> 'edition' >= '2025-07-01') > ("p"."permanent_address" ->> 'edition' >= '2025-07-01'), true) then exists (
            select from truth.unit_successor u
            where u.former_unit = "p"."permanent_address" ->> 'unit' and u.present_unit = "s"."permanent_address" ->> 'unit'
        )
        else false
    end
    and coalesce(
        "s"."permanent_address" ->> 'detail' = "p"."permanent_address" ->> 'detail'
        or text.fold("s"."permanent_address" ->> 'detail') = text.fold("p"."permanent_address" ->> 'detail'),
        true
    )
)
 then case when false then 'form' end
    when false then 'invalid'
    else case when s.stated_at < (truth.origin("p"."provenance", 'permanent_address') ->> 'as_of')::timestamptz then 'stale' else 'conflict' end
end as "kind_permanent_address", s."permanent_address" as "stated_permanent_address", p."permanent_address" as "believed_permanent_address",
        case
    when p."phone" is null then null
    when s."phone" is null then case when s.source = any('{}') then 'missing' end
    when s."phone" = p."phone" or "s"."phone" = "p"."phone" then case when false then 'form' end
    when false then 'invalid'
    else case when s.stated_at < (truth.origin("p"."provenance", 'phone') ->> 'as_of')::timestamptz then 'stale' else 'conflict' end
end as "kind_phone", s."phone" as "stated_phone", p."phone" as "believed_phone",
        case
    when p."email" is null then null
    when s."email" is null then case when s.source = any('{}') then 'missing' end
    when s."email" = p."email" or ("s"."email" = "p"."email" or text.fold("s"."email") = text.fold("p"."email")) then case when false then 'form' end
    when false then 'invalid'
    else case when s.stated_at < (truth.origin("p"."provenance", 'email') ->> 'as_of')::timestamptz then 'stale' else 'conflict' end
end as "kind_email", s."email" as "stated_email", p."email" as "believed_email",
        case
    when p."life_status" is null then null
    when s."life_status" is null then case when s.source = any('{}') then 'missing' end
    when s."life_status" = p."life_status" or ("s"."life_status" <> 'alive' or "p"."life_status" <> 'deceased') then case when false then 'form' end
    when false then 'invalid'
    else 'deceased'
end as "kind_life_status", s."life_status" as "stated_life_status", p."life_status" as "believed_life_status"
    from statement s join golden p using (person_key)
),
differing as materialized (
    select * from compared where coalesce("kind_personal_id", "kind_full_name", "kind_birth_date", "kind_sex", "kind_permanent_address", "kind_phone", "kind_email", "kind_life_status") is not null
)
insert into found
select
    person_key, 'personal_id', source, stream, source_key, "kind_personal_id",
    to_jsonb("stated_personal_id"), to_jsonb("believed_personal_id"), stated_at, (truth.origin("provenance", 'personal_id') ->> 'as_of')::timestamptz
from differing
where "kind_personal_id" is not null
union all
select
    person_key, 'full_name', source, stream, source_key, "kind_full_name",
    to_jsonb("stated_full_name"), to_jsonb("believed_full_name"), stated_at, (truth.origin("provenance", 'full_name') ->> 'as_of')::timestamptz
from differing
where "kind_full_name" is not null
union all
select
    person_key, 'birth_date', source, stream, source_key, "kind_birth_date",
    to_jsonb("stated_birth_date"), to_jsonb("believed_birth_date"), stated_at, (truth.origin("provenance", 'birth_date') ->> 'as_of')::timestamptz
from differing
where "kind_birth_date" is not null
union all
select
    person_key, 'sex', source, stream, source_key, "kind_sex",
    to_jsonb("stated_sex"), to_jsonb("believed_sex"), stated_at, (truth.origin("provenance", 'sex') ->> 'as_of')::timestamptz
from differing
where "kind_sex" is not null
union all
select
    person_key, 'permanent_address', source, stream, source_key, "kind_permanent_address",
    to_jsonb("stated_permanent_address"), to_jsonb("believed_permanent_address"), stated_at, (truth.origin("provenance", 'permanent_address') ->> 'as_of')::timestamptz
from differing
where "kind_permanent_address" is not null
union all
select
    person_key, 'phone', source, stream, source_key, "kind_phone",
    to_jsonb("stated_phone"), to_jsonb("believed_phone"), stated_at, (truth.origin("provenance", 'phone') ->> 'as_of')::timestamptz
from differing
where "kind_phone" is not null
union all
select
    person_key, 'email', source, stream, source_key, "kind_email",
    to_jsonb("stated_email"), to_jsonb("believed_email"), stated_at, (truth.origin("provenance", 'email') ->> 'as_of')::timestamptz
from differing
where "kind_email" is not null
union all
select
    person_key, 'life_status', source, stream, source_key, "kind_life_status",
    to_jsonb("stated_life_status"), to_jsonb("believed_life_status"), stated_at, (truth.origin("provenance", 'life_status') ->> 'as_of')::timestamptz
from differing
where "kind_life_status" is not null
;
analyze found;

-- A second record of a person in a stream that should hold one. The record with the lowest key is kept: keys
-- are given out in order and, unlike the times of statement, do not change. A branch belongs to its head
-- office.
insert into found
select
    s.person_key, 'personal_id', s.source, s.stream, s.source_key, 'duplicate',
    to_jsonb(s.source_key), to_jsonb(s.kept), s.stated_at, null
from (
    select
        person_key, source, stream, source_key, stated_at,
        min(source_key collate "C") over (partition by person_key) as kept
    from statement s
    where (source, stream) = ('portal', 'accounts')
        and text.identifying('personal_id', s."personal_id") is not distinct from s."personal_id"
) s
where s.source_key <> s.kept and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (s.source, s.stream, s.source_key, 'personal_id', s.person_key)
);

-- A second record of a person in a stream that should hold one. The record with the lowest key is kept: keys
-- are given out in order and, unlike the times of statement, do not change. A branch belongs to its head
-- office.
insert into found
select
    s.person_key, 'tax_code', s.source, s.stream, s.source_key, 'duplicate',
    to_jsonb(s.source_key), to_jsonb(s.kept), s.stated_at, null
from (
    select
        person_key, source, stream, source_key, stated_at,
        min(source_key collate "C") over (partition by person_key) as kept
    from statement s
    where (source, stream) = ('tax', 'registrations')
        and text.identifying('tax_code', s."tax_code") is not distinct from s."tax_code"
) s
where s.source_key <> s.kept and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (s.source, s.stream, s.source_key, 'tax_code', s.person_key)
);

-- A second record of a person in a stream that should hold one. The record with the lowest key is kept: keys
-- are given out in order and, unlike the times of statement, do not change. A branch belongs to its head
-- office.
insert into found
select
    s.person_key, 'personal_id', s.source, s.stream, s.source_key, 'duplicate',
    to_jsonb(s.source_key), to_jsonb(s.kept), s.stated_at, null
from (
    select
        person_key, source, stream, source_key, stated_at,
        min(source_key collate "C") over (partition by person_key) as kept
    from statement s
    where (source, stream) = ('customs', 'declarants')
        and text.identifying('personal_id', s."personal_id") is not distinct from s."personal_id"
) s
where s.source_key <> s.kept and not exists (
    select from found f
    where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
        = (s.source, s.stream, s.source_key, 'personal_id', s.person_key)
);

update found f
set kind = 'stale'
from truth.identifier i
where f.attribute = 'personal_id' and f.kind in ('conflict', 'invalid')
    and (i.scheme, i.value, i.person_key) = ('personal_id', f.source_value #>> '{}', f.person_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'personal_id' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'personal_id' and (f.source_value #>> '{}') = (v.believed #>> ARRAY['personal_id']);

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'personal_id' and f.kind = 'conflict' and (f.source_value #>> '{}') = (d.source_value #>> '{}')
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'full_name' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'full_name' and ((f.source_value #>> '{}') = (v.believed #>> ARRAY['full_name']) or text.fold_name((f.source_value #>> '{}')) = text.fold_name((v.believed #>> ARRAY['full_name'])));

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'full_name' and f.kind = 'conflict' and ((f.source_value #>> '{}') = (d.source_value #>> '{}') or text.fold_name((f.source_value #>> '{}')) = text.fold_name((d.source_value #>> '{}')))
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'birth_date' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'birth_date' and truth.same_partial_date((f.source_value #>> '{}'), (v.believed #>> ARRAY['birth_date']));

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'birth_date' and f.kind = 'conflict' and truth.same_partial_date((f.source_value #>> '{}'), (d.source_value #>> '{}'))
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'sex' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'sex' and (f.source_value #>> '{}') = (v.believed #>> ARRAY['sex']);

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'sex' and f.kind = 'conflict' and (f.source_value #>> '{}') = (d.source_value #>> '{}')
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'permanent_address' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'permanent_address' and -- Whether two addresses agree: each commune code is read in the catalogue in force on the day that the
-- address names (`edition`). A commune of the earlier catalogue equals the later commune that it became; one
-- that was split equals each of them (Nghị quyết 202/2025/QH15). A part that one side leaves out is no
-- difference, nor is a missing `edition`: such a code may stand in either catalogue.
(
    (f.source_value #> '{}') = (v.believed #> ARRAY['permanent_address'])
    or case
        when (f.source_value #> '{}') ->> 'unit' is null or (v.believed #> ARRAY['permanent_address']) ->> 'unit' is null then true
        when coalesce(
            ((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') = ((v.believed #> ARRAY['permanent_address']) ->> 'edition' >= '2025-07-01'),
            (f.source_value #> '{}') ->> 'unit' = (v.believed #> ARRAY['permanent_address']) ->> 'unit'
        ) then (f.source_value #> '{}') ->> 'unit' = (v.believed #> ARRAY['permanent_address']) ->> 'unit'
        when coalesce(((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') < ((v.believed #> ARRAY['permanent_address']) ->> 'edition' >= '2025-07-01'), true) and exists (
            select from truth.unit_successor u
            where u.former_unit = (f.source_value #> '{}') ->> 'unit' and u.present_unit = (v.believed #> ARRAY['permanent_address']) ->> 'unit'
        ) then true
        when coalesce(((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') > ((v.believed #> ARRAY['permanent_address']) ->> 'edition' >= '2025-07-01'), true) then exists (
            select from truth.unit_successor u
            where u.former_unit = (v.believed #> ARRAY['permanent_address']) ->> 'unit' and u.present_unit = (f.source_value #> '{}') ->> 'unit'
        )
        else false
    end
    and coalesce(
        (f.source_value #> '{}') ->> 'detail' = (v.believed #> ARRAY['permanent_address']) ->> 'detail'
        or text.fold((f.source_value #> '{}') ->> 'detail') = text.fold((v.believed #> ARRAY['permanent_address']) ->> 'detail'),
        true
    )
);

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'permanent_address' and f.kind = 'conflict' and -- Whether two addresses agree: each commune code is read in the catalogue in force on the day that the
-- address names (`edition`). A commune of the earlier catalogue equals the later commune that it became; one
-- that was split equals each of them (Nghị quyết 202/2025/QH15). A part that one side leaves out is no
-- difference, nor is a missing `edition`: such a code may stand in either catalogue.
(
    (f.source_value #> '{}') = (d.source_value #> '{}')
    or case
        when (f.source_value #> '{}') ->> 'unit' is null or (d.source_value #> '{}') ->> 'unit' is null then true
        when coalesce(
            ((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') = ((d.source_value #> '{}') ->> 'edition' >= '2025-07-01'),
            (f.source_value #> '{}') ->> 'unit' = (d.source_value #> '{}') ->> 'unit'
        ) then (f.source_value #> '{}') ->> 'unit' = (d.source_value #> '{}') ->> 'unit'
        when coalesce(((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') < ((d.source_value #> '{}') ->> 'edition' >= '2025-07-01'), true) and exists (
            select from truth.unit_successor u
            where u.former_unit = (f.source_value #> '{}') ->> 'unit' and u.present_unit = (d.source_value #> '{}') ->> 'unit'
        ) then true
        when coalesce(((f.source_value #> '{}') ->> 'edition' >= '2025-07-01') > ((d.source_value #> '{}') ->> 'edition' >= '2025-07-01'), true) then exists (
            select from truth.unit_successor u
            where u.former_unit = (d.source_value #> '{}') ->> 'unit' and u.present_unit = (f.source_value #> '{}') ->> 'unit'
        )
        else false
    end
    and coalesce(
        (f.source_value #> '{}') ->> 'detail' = (d.source_value #> '{}') ->> 'detail'
        or text.fold((f.source_value #> '{}') ->> 'detail') = text.fold((d.source_value #> '{}') ->> 'detail'),
        true
    )
)

    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

update found f
set kind = 'stale'
from truth.person_version v
where f.attribute = 'life_status' and f.kind = 'conflict' and v.person_key = f.person_key
    and v.believed ? 'life_status' and ((f.source_value #>> '{}') <> 'alive' or (v.believed #>> ARRAY['life_status']) <> 'deceased');

update found f
set kind = 'stale'
from truth.discrepancy d
where f.attribute = 'life_status' and f.kind = 'conflict' and ((f.source_value #>> '{}') <> 'alive' or (d.source_value #>> '{}') <> 'deceased')
    and d.closed_at is null and d.kind = 'stale'
    and (d.person_key, d.attribute, d.source, d.stream, d.source_key)
        = (f.person_key, f.attribute, f.source, f.stream, f.source_key);

-- Closes the discrepancies of `open_before` that were not found again, with the reason.
analyze open_before;
analyze found;

update truth.discrepancy o
set closed_at = now(), closed_because = c.because
from (
    select d.discrepancy_id, case
        when p.person_key is null then 'person_gone'
        when s.person_key is null and r.source is null then 'record_gone'
        when s.person_key is null and exists (
            select from truth.active_link_override t
            where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                and (t.person_key = d.person_key or t.verdict = 'same')
        ) then 'override'
        when s.person_key is null then 'unlinked'
        when d.kind = 'duplicate' then 'corrected'
        when d.source_value is distinct from nullif(to_jsonb(s) -> d.attribute, 'null') then 'corrected'
        when d.golden_value is distinct from nullif(to_jsonb(p) -> d.attribute, 'null') then 'belief_changed'
        else 'rules_changed'
    end as because
    from open_before b
    join truth.discrepancy d using (discrepancy_id)
    left join golden p on p.person_key = d.person_key
    left join statement s
        on (s.person_key, s.source, s.stream, s.source_key) = (d.person_key, d.source, d.stream, d.source_key)
    left join record.person r
        on (r.source, r.stream, r.source_key) = (d.source, d.stream, d.source_key)
        and r.deleted_at is null
    where not exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (b.source, b.stream, b.source_key, b.attribute, b.person_key)
    )
) c
where o.discrepancy_id = c.discrepancy_id;

-- Closes the discrepancies of `open_before` that were not found again, with the reason.
analyze open_before;
analyze found;

update truth.discrepancy o
set closed_at = now(), closed_because = c.because
from (
    select d.discrepancy_id, case
        when d.kind = 'wrong_person' and not exists (
            select from truth.link k where k.person_key = d.person_key and k.method = 'register'
        ) then 'person_gone'
        when s.source is null then 'record_gone'
        when exists (
            select from truth.active_link_override t
            where (t.source, t.stream, t.source_key) = (d.source, d.stream, d.source_key)
                and t.verdict = 'same'
        ) then 'override'
        when s.stated_at is distinct from d.stated_at then 'corrected'
        else 'belief_changed'
    end as because
    from open_before b
    join truth.discrepancy d using (discrepancy_id)
    left join stating s
        on (s.source, s.stream, s.source_key) = (d.source, d.stream, d.source_key)
    where not exists (
        select from found f
        where (f.source, f.stream, f.source_key, f.attribute, f.person_key)
            = (b.source, b.stream, b.source_key, b.attribute, b.person_key)
    )
) c
where o.discrepancy_id = c.discrepancy_id;
