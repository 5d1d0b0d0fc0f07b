select count(*) from "dirty_record";

create temporary table stating on commit drop as
select source, stream, source_key, stated_at, full_name, birth_date, sex, "personal_id", "tax_code", "national_id_9", "passport", 0 as entry
from record.person limit 0;

analyze drawn;
insert into stating
select source, stream, source_key, r.stated_at, r.full_name, r.birth_date, r.sex, "r"."personal_id", "r"."tax_code", "r"."national_id_9", "r"."passport",
    entry
from drawn join record.person r using (source, stream, source_key)
where r.deleted_at is null and r.source <> 'population';
insert into ruled
select source, stream, source_key, r.person_key, r.verdict
from drawn join truth.active_link_override r using (source, stream, source_key);
insert into affected select * from drawn;

insert into claim
select distinct 'personal_id', text.identifying('personal_id', "r"."personal_id"), f.person_key, null::date, null::date, true
from founder f join record.person r using (source, stream, source_key)
where f.registered and r.source = 'population' and text.identifying('personal_id', "r"."personal_id") is not null;

insert into claim
select distinct 'national_id_9', text.identifying('national_id_9', "r"."national_id_9"), f.person_key, null::date, null::date, true
from founder f join record.person r using (source, stream, source_key)
where f.registered and r.source = 'population' and text.identifying('national_id_9', "r"."national_id_9") is not null;

insert into claim
select 'personal_id', r.personal_id, f.person_key, min(r.valid_from), max(r.valid_until), false
from founder f join record.former_identifier r using (source, stream, source_key)
where f.registered and r.source = 'population' and r.deleted_at is null and not exists (
    select from claim c
    where (c.scheme, c.value, c.person_key) = ('personal_id', r.personal_id, f.person_key)
)
group by r.personal_id, f.person_key;

-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on "r"."personal_id" is not null and text.identifying('personal_id', "r"."personal_id") = v.value
where v.scheme = 'personal_id' and r.source <> 'population' and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on length("r"."tax_code") = 12 and text.identifying('personal_id', "r"."tax_code") = v.value
where v.scheme = 'personal_id' and r.source <> 'population' and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on "r"."national_id_9" is not null and text.identifying('national_id_9', "r"."national_id_9") = v.value
where v.scheme = 'national_id_9' and r.source <> 'population' and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

analyze drawn;
insert into stating
select source, stream, source_key, r.stated_at, r.full_name, r.birth_date, r.sex, "r"."personal_id", "r"."tax_code", "r"."national_id_9", "r"."passport",
    entry
from drawn join record.person r using (source, stream, source_key)
where r.deleted_at is null and r.source <> 'population';
insert into ruled
select source, stream, source_key, r.person_key, r.verdict
from drawn join truth.active_link_override r using (source, stream, source_key);
insert into affected select * from drawn;

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'personal_id', 'personal_id', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where "s"."personal_id" is not null
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."personal_id")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and i.current
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'former_personal_id', 'personal_id', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where "s"."personal_id" is not null
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."personal_id")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
)
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'personal_id_as_tax_code', 'tax_code', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where length("s"."tax_code") = 12
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."tax_code")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'national_id_9', 'national_id_9', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where "s"."national_id_9" is not null
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'national_id_9' and i.value = text.identifying('national_id_9', "s"."national_id_9")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- The identifiers that a lending source states of its records' people. Of the claimants' records, only those
-- linked by a number of the register or by an override count.
insert into claim
select distinct
    'tax_code', text.identifying('tax_code', "r"."tax_code"), bearer.person_key, null::date, null::date, true
from (
    select source, stream, source_key, person_key
    from verdict
    where source = 'tax' and not somebody_else
    union all
    select k.source, k.stream, k.source_key, k.person_key
    from claimant c join truth.link k using (person_key)
    where k.source = 'tax' and k.method = any(ARRAY['override','personal_id','former_personal_id','personal_id_as_tax_code','national_id_9']) and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
    )
) bearer
join record.person r using (source, stream, source_key)
where r.source = 'tax' and r.deleted_at is null
    and "r"."tax_code" is not null and text.identifying('tax_code', "r"."tax_code") is not null;

-- The identifiers that a lending source states of its records' people. Of the claimants' records, only those
-- linked by a number of the register or by an override count.
insert into claim
select distinct
    'passport', text.identifying('passport', "r"."passport"), bearer.person_key, null::date, null::date, true
from (
    select source, stream, source_key, person_key
    from verdict
    where source = 'banking' and not somebody_else
    union all
    select k.source, k.stream, k.source_key, k.person_key
    from claimant c join truth.link k using (person_key)
    where k.source = 'banking' and k.method = any(ARRAY['override','personal_id','former_personal_id','personal_id_as_tax_code','national_id_9']) and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (k.source, k.stream, k.source_key)
    )
) bearer
join record.person r using (source, stream, source_key)
where r.source = 'banking' and r.deleted_at is null
    and "r"."passport" is not null and text.identifying('passport', "r"."passport") is not null;

-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on "r"."tax_code" is not null and text.identifying('tax_code', "r"."tax_code") = v.value
where v.scheme = 'tax_code' and r.source <> 'population' and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

-- Adds the records that state an identifier whose bearer may have changed.
insert into drawn
select r.source, r.stream, r.source_key
from touched_value v
join record.person r on "r"."passport" is not null and text.identifying('passport', "r"."passport") = v.value
where v.scheme = 'passport' and r.source <> 'population' and r.deleted_at is null
    and not exists (
        select from affected a
        where (a.source, a.stream, a.source_key) = (r.source, r.stream, r.source_key)
    )
    and not exists (
        select from drawn d
        where (d.source, d.stream, d.source_key) = (r.source, r.stream, r.source_key)
    );

analyze drawn;
insert into stating
select source, stream, source_key, r.stated_at, r.full_name, r.birth_date, r.sex, "r"."personal_id", "r"."tax_code", "r"."national_id_9", "r"."passport",
    entry
from drawn join record.person r using (source, stream, source_key)
where r.deleted_at is null and r.source <> 'population';
insert into ruled
select source, stream, source_key, r.person_key, r.verdict
from drawn join truth.active_link_override r using (source, stream, source_key);
insert into affected select * from drawn;

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'tax_code', 'tax_code', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where "s"."tax_code" is not null
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'tax_code' and i.value = text.identifying('tax_code', "s"."tax_code")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- Links records by one identifier. The first identifier that leads to a person decides; where a clerk has
-- decided that the record does not describe that person, the next identifier is tried. Whether the person
-- differs (name and birth date) is decided by the register's record, because golden values follow from links
-- only later in the run.
insert into verdict
select
    s.source, s.stream, s.source_key, i.person_key, 'passport', 'passport', i.value,
    s.birth_date is not null,
    b.person_key is not null or not case
        when (
            s.full_name = "f".full_name or text.fold_name(s.full_name) = text.fold_name("f".full_name)
        )
            and truth.same_partial_date(s.birth_date, "f".birth_date)
            and (s.sex <> "f".sex) is not true then true
        else exists (
            select from unnest(
                "f".full_name || array_remove("f".other_name || "f".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "f".birth_date, "f".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end and not exists (
        select from truth.link o
        join record.person g
            on g.source = 'population'
            and (g.source, g.stream, g.source_key) = (o.source, o.stream, o.source_key)
        where o.person_key = i.person_key and o.method = 'merged' and not not case
        when (
            s.full_name = "g".full_name or text.fold_name(s.full_name) = text.fold_name("g".full_name)
        )
            and truth.same_partial_date(s.birth_date, "g".birth_date)
            and (s.sex <> "g".sex) is not true then true
        else exists (
            select from unnest(
                "g".full_name || array_remove("g".other_name || "g".former_names, null)
            ) known_name
            where truth.agreement(
                s.full_name, s.birth_date, s.sex, s.stated_at, known_name, "g".birth_date, "g".sex
            ) = any(ARRAY['equal equal','equal partial','equal near','equal unstated','equal equal another_sex','equal partial another_sex','equal unstated another_sex','part equal','part partial','part near','part unstated','part equal another_sex','slip equal','slip partial','slip near','slip unstated','slip equal another_sex','slip_in_given_name equal','slip_in_given_name partial','slip_in_given_name unstated','similar_given_name equal','similar_given_name partial','similar_family_name equal','similar_family_name partial','slips equal','slips partial','other_marks equal','other_marks partial','given_name_alone equal','given_name_alone partial','other_middle_name equal','other_middle_name partial','other_family_name equal','no_given_name equal','unstated equal','unstated partial','unstated near','unstated unstated'])
        )
    end
    ),
    s.stated_at, null, b.person_key is not null, s.entry
from (
    -- `offset 0`: records that are decided already are left out before anything is looked up.
    select *
    from stating s
    where "s"."passport" is not null
        and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
        and not exists (
            select from ruled w
            where w.verdict = 'same'
                and (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
        )
    offset 0
) s
join truth.identifier i on i.scheme = 'passport' and i.value = text.identifying('passport', "s"."passport")
join truth.link k on k.person_key = i.person_key and k.method = 'register'
join record.person f
    on f.source = 'population' and (f.source, f.stream, f.source_key) = (k.source, k.stream, k.source_key)
left join ruled b
    on b.verdict = 'different' and b.person_key = i.person_key
    and (b.source, b.stream, b.source_key) = (s.source, s.stream, s.source_key)
where not i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and v.person_key = i.person_key);

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'personal_id',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."personal_id")
where "s"."personal_id" is not null and i.contested and i.current
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'former_personal_id',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."personal_id")
where "s"."personal_id" is not null and i.contested and (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
)
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'personal_id_as_tax_code',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'personal_id' and i.value = text.identifying('personal_id', "s"."tax_code")
where length("s"."tax_code") = 12 and i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'national_id_9',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'national_id_9' and i.value = text.identifying('national_id_9', "s"."national_id_9")
where "s"."national_id_9" is not null and i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'tax_code',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'tax_code' and i.value = text.identifying('tax_code', "s"."tax_code")
where "s"."tax_code" is not null and i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;

-- Asks a clerk about records whose identifier is contested, with its bearers, except those whom a clerk has
-- excluded. A record about which the matching model asks is not asked about here.
insert into asked (kind, person_key, source, stream, source_key, evidence)
select
    'contested_identifier', null, s.source, s.stream, s.source_key,
    jsonb_build_object(
        'method', 'passport',
        'candidates', jsonb_agg(jsonb_build_object('person_key', i.person_key) order by i.person_key)
    )
from stating s
join truth.identifier i on i.scheme = 'passport' and i.value = text.identifying('passport', "s"."passport")
where "s"."passport" is not null and i.contested and (i.current or (
    not i.current
    and not exists (
        select from truth.identifier o where (o.scheme, o.value) = (i.scheme, i.value) and o.current
    )
))
    and not exists (select from verdict v where v.entry = s.entry and not v.ruled)
    and not exists (
        select from ruled w
        where (w.source, w.stream, w.source_key) = (s.source, s.stream, s.source_key)
            and (w.verdict = 'same' or w.person_key = i.person_key)
    )
    and not exists (
        select from asked q
        where (q.source, q.stream, q.source_key) = (s.source, s.stream, s.source_key)
    )
group by s.source, s.stream, s.source_key;
