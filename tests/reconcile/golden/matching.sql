create temporary table record_feature on commit drop as
select j.id, coalesce("r"."permanent_address" ->> 'edition', '2025-07-01') < '2025-07-01' as former, lower("r"."full_name") as "full_name",
    replace(f.folded, ' ', '') as "full_name_key",
    f.parts as "full_name_parts",
    "r"."birth_date" as "birth_date",
    "r"."sex" as "sex",
    case when coalesce("r"."permanent_address" ->> 'edition', '2025-07-01') < '2025-07-01' then 'f' else 'p' end || ("r"."permanent_address" ->> 'unit') as "permanent_address",
    case when coalesce("r"."permanent_address" ->> 'edition', '2025-07-01') < '2025-07-01' then (
        select string_agg(present_unit, ',') from truth.unit_successor
        where former_unit = "r"."permanent_address" ->> 'unit'
    ) else "r"."permanent_address" ->> 'unit' end as "permanent_address_present",
    text.identifying('phone', "r"."phone") as "phone",
    text.identifying('tax_code', "r"."tax_code") as "tax_code",
    (case when length("r"."birth_date") = 10 then "r"."birth_date" end) as "by_birth_date",
    left("r"."birth_date", 4) as "by_birth_year",
    ("r"."permanent_address" ->> 'unit') as "by_commune",
    split_part("f"."folded", ' ', 1) as "by_first_part",
    split_part("f"."folded", ' ', -1) as "by_last_part",
    "f"."parts" as "by_name_parts",
    "r"."phone" as "by_phone",
    text.identifying('tax_code', "r"."tax_code") as "by_tax_code"
from unmatched j join record.person r using (source, stream, source_key)
cross join lateral (
    select folded, (
        select string_agg(part, ' ' order by part collate "C") from unnest(string_to_array(folded, ' ')) part
    ) as parts
    from (select text.fold(r.full_name) as folded offset 0) once
    offset 0
) f;
analyze record_feature;

insert into unmatched_key
select r.id, k.key, k.rule, true
from "record_feature" r cross join lateral (values (hashtextextended('name_parts birth_year' || E'\x1f' || "r"."by_name_parts" || E'\x1f' || "r"."by_birth_year", 0), 'name_parts birth_year'),
    (hashtextextended('birth_date first_part' || E'\x1f' || "r"."by_birth_date" || E'\x1f' || "r"."by_first_part", 0), 'birth_date first_part'),
    (hashtextextended('birth_date last_part' || E'\x1f' || "r"."by_birth_date" || E'\x1f' || "r"."by_last_part", 0), 'birth_date last_part'),
    (hashtextextended('name_parts commune' || E'\x1f' || "r"."by_name_parts" || E'\x1f' || "r"."by_commune", 0), 'name_parts commune'),
    (hashtextextended('birth_year commune first_part' || E'\x1f' || "r"."by_birth_year" || E'\x1f' || "r"."by_commune" || E'\x1f' || "r"."by_first_part", 0), 'birth_year commune first_part'),
    (hashtextextended('phone' || E'\x1f' || "r"."by_phone", 0), 'phone'),
    (hashtextextended('tax_code' || E'\x1f' || "r"."by_tax_code", 0), 'tax_code')) k (key, rule)
where k.key is not null;

create temporary table record_reformed on commit drop as 
select f.*, u.present_unit as commune
from record_feature f join truth.unit_successor u on u.former_unit = f.by_commune
where f.former and u.present_unit <> f.by_commune
union all
select f.*, u.former_unit
from record_feature f join truth.unit_successor u on u.present_unit = f.by_commune
where not f.former and u.former_unit <> f.by_commune;

insert into unmatched_key
select r.id, k.key, k.rule, false
from "record_reformed" r cross join lateral (values (hashtextextended('name_parts commune' || E'\x1f' || "r"."by_name_parts" || E'\x1f' || "r"."commune", 0), 'name_parts commune'),
    (hashtextextended('birth_year commune first_part' || E'\x1f' || "r"."by_birth_year" || E'\x1f' || "r"."commune" || E'\x1f' || "r"."by_first_part", 0), 'birth_year commune first_part')) k (key, rule)
where k.key is not null;

insert into key_person
select k.key, 'name_parts birth_year', truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from "unmatched_key" where rule = 'name_parts birth_year') k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where hashtextextended('name_parts birth_year' || E'\x1f' || text.fold_parts("p"."full_name") || E'\x1f' || left("p"."birth_date", 4), 0) = k.key and p.source = 'population' and p.deleted_at is null
    limit 301
) p;

insert into key_person
select k.key, 'birth_date first_part', truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from "unmatched_key" where rule = 'birth_date first_part') k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where hashtextextended('birth_date first_part' || E'\x1f' || (case when length("p"."birth_date") = 10 then "p"."birth_date" end) || E'\x1f' || split_part(text.fold("p"."full_name"), ' ', 1), 0) = k.key and p.source = 'population' and p.deleted_at is null
    limit 301
) p;

insert into key_person
select k.key, 'birth_date last_part', truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from "unmatched_key" where rule = 'birth_date last_part') k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where hashtextextended('birth_date last_part' || E'\x1f' || (case when length("p"."birth_date") = 10 then "p"."birth_date" end) || E'\x1f' || split_part(text.fold("p"."full_name"), ' ', -1), 0) = k.key and p.source = 'population' and p.deleted_at is null
    limit 301
) p;

insert into key_person
select k.key, 'name_parts commune', truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from "unmatched_key" where rule = 'name_parts commune') k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where hashtextextended('name_parts commune' || E'\x1f' || text.fold_parts("p"."full_name") || E'\x1f' || ("p"."permanent_address" ->> 'unit'), 0) = k.key and p.source = 'population' and p.deleted_at is null
    limit 301
) p;

insert into key_person
select k.key, 'birth_year commune first_part', truth.person_key(p.source, p.stream, p.source_key)
from (select distinct key from "unmatched_key" where rule = 'birth_year commune first_part') k
cross join lateral (
    select p.source, p.stream, p.source_key
    from record.person p
    where hashtextextended('birth_year commune first_part' || E'\x1f' || left("p"."birth_date", 4) || E'\x1f' || ("p"."permanent_address" ->> 'unit') || E'\x1f' || split_part(text.fold("p"."full_name"), ' ', 1), 0) = k.key and p.source = 'population' and p.deleted_at is null
    limit 301
) p;

-- Finds people by a key that records of other sources state: the person that such a record describes by this
-- run's verdict, else by its link. A link by a model does not count.
with neighbour as materialized (
    select k.key, p.source, p.stream, p.source_key
    from (select distinct key from "unmatched_key" where rule = 'phone') k
    cross join lateral (
        select p.source, p.stream, p.source_key
        from record.person p
        where hashtextextended('phone' || E'\x1f' || "p"."phone", 0) = k.key and p.source <> 'population' and p.deleted_at is null
        limit 301
    ) p
)
insert into key_person
select n.key, 'phone', coalesce(v.person_key, k.person_key)
from neighbour n
left join verdict v
    on (v.source, v.stream, v.source_key) = (n.source, n.stream, n.source_key) and not v.somebody_else
left join truth.link k
    on (k.source, k.stream, k.source_key) = (n.source, n.stream, n.source_key)
    and k.method <> 'model' and not exists (
        select from affected a where (a.source, a.stream, a.source_key) = (n.source, n.stream, n.source_key)
    );

-- Finds people by a key that records of other sources state: the person that such a record describes by this
-- run's verdict, else by its link. A link by a model does not count.
with neighbour as materialized (
    select k.key, p.source, p.stream, p.source_key
    from (select distinct key from "unmatched_key" where rule = 'tax_code') k
    cross join lateral (
        select p.source, p.stream, p.source_key
        from record.person p
        where hashtextextended('tax_code' || E'\x1f' || text.identifying('tax_code', "p"."tax_code"), 0) = k.key and p.source <> 'population' and p.deleted_at is null
        limit 301
    ) p
)
insert into key_person
select n.key, 'tax_code', coalesce(v.person_key, k.person_key)
from neighbour n
left join verdict v
    on (v.source, v.stream, v.source_key) = (n.source, n.stream, n.source_key) and not v.somebody_else
left join truth.link k
    on (k.source, k.stream, k.source_key) = (n.source, n.stream, n.source_key)
    and k.method <> 'model' and not exists (
        select from affected a where (a.source, a.stream, a.source_key) = (n.source, n.stream, n.source_key)
    );

create temporary table person_feature on commit drop as 
select r.person_key, r.own, lower("r"."full_name") as "full_name",
    replace(f.folded, ' ', '') as "full_name_key",
    f.parts as "full_name_parts",
    "r"."birth_date" as "birth_date",
    "r"."sex" as "sex",
    case when coalesce("r"."permanent_address" ->> 'edition', '2025-07-01') < '2025-07-01' then 'f' else 'p' end || ("r"."permanent_address" ->> 'unit') as "permanent_address",
    case when coalesce("r"."permanent_address" ->> 'edition', '2025-07-01') < '2025-07-01' then (
        select string_agg(present_unit, ',') from truth.unit_successor
        where former_unit = "r"."permanent_address" ->> 'unit'
    ) else "r"."permanent_address" ->> 'unit' end as "permanent_address_present",
    (case when length("r"."birth_date") = 10 then "r"."birth_date" end) as "by_birth_date",
    left("r"."birth_date", 4) as "by_birth_year",
    ("r"."permanent_address" ->> 'unit') as "by_commune",
    split_part("f"."folded", ' ', 1) as "by_first_part",
    split_part("f"."folded", ' ', -1) as "by_last_part",
    "f"."parts" as "by_name_parts",
    "r"."phone" as "by_phone",
    text.identifying('tax_code', "r"."tax_code") as "by_tax_code"
from (
    select p.*, k.person_key, true as own
    from (select distinct person_key from candidate_person) w
    join truth.link k on k.person_key = w.person_key and k.method = 'register'
    join record.person p
        on p.source = 'population' and (p.source, p.stream, p.source_key) = (k.source, k.stream, k.source_key)
) r
cross join lateral (
    select folded, (
        select string_agg(part, ' ' order by part collate "C") from unnest(string_to_array(folded, ' ')) part
    ) as parts
    from (select text.fold(r.full_name) as folded offset 0) once
    offset 0
) f
;
analyze person_feature;

insert into changed_key
select distinct hashtextextended('name_parts birth_year' || E'\x1f' || text.fold_parts("r"."full_name") || E'\x1f' || left("r"."birth_date", 4), 0)
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)

where hashtextextended('name_parts birth_year' || E'\x1f' || text.fold_parts("r"."full_name") || E'\x1f' || left("r"."birth_date", 4), 0) is not null;

insert into changed_key
select distinct hashtextextended('birth_date first_part' || E'\x1f' || (case when length("r"."birth_date") = 10 then "r"."birth_date" end) || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', 1), 0)
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)

where hashtextextended('birth_date first_part' || E'\x1f' || (case when length("r"."birth_date") = 10 then "r"."birth_date" end) || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', 1), 0) is not null;

insert into changed_key
select distinct hashtextextended('birth_date last_part' || E'\x1f' || (case when length("r"."birth_date") = 10 then "r"."birth_date" end) || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', -1), 0)
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)

where hashtextextended('birth_date last_part' || E'\x1f' || (case when length("r"."birth_date") = 10 then "r"."birth_date" end) || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', -1), 0) is not null;

insert into changed_key
select distinct hashtextextended('name_parts commune' || E'\x1f' || text.fold_parts("r"."full_name") || E'\x1f' || "reformed"."commune", 0)
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)
cross join lateral (
    select r.permanent_address ->> 'unit' as commune
    union
    select u.present_unit from truth.unit_successor u where u.former_unit = r.permanent_address ->> 'unit'
    union
    select u.former_unit from truth.unit_successor u where u.present_unit = r.permanent_address ->> 'unit'
) reformed
where hashtextextended('name_parts commune' || E'\x1f' || text.fold_parts("r"."full_name") || E'\x1f' || "reformed"."commune", 0) is not null;

insert into changed_key
select distinct hashtextextended('birth_year commune first_part' || E'\x1f' || left("r"."birth_date", 4) || E'\x1f' || "reformed"."commune" || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', 1), 0)
from changed_person c
join truth.link k on k.person_key = c.person_key and k.method in ('register', 'merged')
join record.person r using (source, stream, source_key)
cross join lateral (
    select r.permanent_address ->> 'unit' as commune
    union
    select u.present_unit from truth.unit_successor u where u.former_unit = r.permanent_address ->> 'unit'
    union
    select u.former_unit from truth.unit_successor u where u.present_unit = r.permanent_address ->> 'unit'
) reformed
where hashtextextended('birth_year commune first_part' || E'\x1f' || left("r"."birth_date", 4) || E'\x1f' || "reformed"."commune" || E'\x1f' || split_part(text.fold("r"."full_name"), ' ', 1), 0) is not null;

insert into changed_key
select distinct hashtextextended('phone' || E'\x1f' || "r"."phone", 0)
from evidence_record t join record.person r using (source, stream, source_key)
where hashtextextended('phone' || E'\x1f' || "r"."phone", 0) is not null;

insert into changed_key
select distinct hashtextextended('tax_code' || E'\x1f' || text.identifying('tax_code', "r"."tax_code"), 0)
from evidence_record t join record.person r using (source, stream, source_key)
where hashtextextended('tax_code' || E'\x1f' || text.identifying('tax_code', "r"."tax_code"), 0) is not null;
