-- How a record agrees with the person whose number it states. The number may be another's: of a relative for
-- whom a form was filled in, or mistyped. Siblings and twins share all of a name but the given name (tên);
-- father and son may share all of it, but not the birth date.
create or replace function truth.name_agreement(stated text, known text) returns text
    language plpgsql immutable parallel safe
as $$
declare
    said text[] := string_to_array(text.fold(stated), ' ');
    names text[] := string_to_array(text.fold(known), ' ');
    shape constant text := text.order_of_name(names);
    -- Of Y Ban Niê and H'Hen Niê the first letter tells the sex, and the last word the clan.
    place_given integer := case
        when shape = 'given name first' then 1
        when shape = 'unknown' and names[1] in ('a', 'h', 'y') then least(2, cardinality(names))
        else cardinality(names)
    end;
    given constant text := names[place_given];
    family constant text := names[case when place_given = cardinality(names) then 1 else cardinality(names) end];
    place integer;
    word text;
    way text;
    left_over text[] := '{}';
    given_is text;
    slips integer := 0;
    short boolean := false;
    similar_family boolean := false;
    may_be_another boolean := false;
    marked boolean;
begin
    if coalesce(cardinality(said) * cardinality(names), 0) = 0 then
        return 'unstated';
    end if;
    -- A name without any mark is written without them.
    marked := octet_length(stated) > length(stated) and octet_length(known) > length(known);
    given_is := case when text.marks(stated, given) <> text.marks(known, given) then 'marks' else 'same' end;
    if text.fold_name(stated) = text.fold_name(known)
        or text.fold_parts(stated) = text.fold_parts(known)
        -- The words of Trần Minh Anh and Trần Anh Minh are the same, the given names are not.
        and (shape = 'given name first' or said[1] <> names[1] or said[cardinality(said)] = given) then
        return case given_is when 'marks' then 'other_marks' else 'equal' end;
    end if;

    -- Which of the stated words is the given name?
    place := case
        when shape <> 'given name first' then case
            when said[cardinality(said)] <> given and said[1] = given and family = any(said[2:]) then 1
            else cardinality(said)
        end
        else coalesce(
            array_position(said, given),
            (
                select each.place from unnest(said) with ordinality each (word, place)
                where each.word <> all(names[2:])
                order by text.is_slip(each.word, given) desc, text.is_short_form(each.word, given) desc, each.place
                limit 1
            )
        )
    end;
    if place_given > 1 and place_given < cardinality(names) then
        place := coalesce(array_position(said, given), 1);
    end if;
    if cardinality(said) = 1 and said[1] = family then
        place := null;
    end if;
    word := said[place];
    if word is null or text.is_short_form(word, given) then
        given_is := 'absent';
    elsif word <> given then
        -- Lan and Loan are two names; Lna is none. Twins have names that rhyme, and slips mostly leave marks alone.
        may_be_another := shape <> 'given name first' and text.is_given_name_in(stated, word);
        if not text.is_slip(word, given)
            or may_be_another and (
                substr(word, 2) = substr(given, 2)
                or marked and text.marks(stated, word) is distinct from text.marks(known, given)
            ) then
            return 'other_given_name';
        end if;
        given_is := 'slip';
    end if;
    if place is not null then
        said := said[:place - 1] || said[place + 1:];
    end if;
    names := names[:place_given - 1] || names[place_given + 1:];

    -- The other words, in any order.
    foreach way in array array['same', 'slip', 'short'] loop
        left_over := '{}';
        foreach word in array said loop
            select each.place into place from unnest(names) with ordinality each (name, place)
            where case way
                when 'same' then name = word
                when 'slip' then text.is_slip(name, word)
                else text.is_short_form(name, word)
            end
            limit 1;
            if found then
                if way = 'slip' and shape = 'unknown' and names[place] = family then
                    given_is := 'slip';
                end if;
                slips := slips + (way = 'slip')::integer;
                -- Phạm and Phan are two families.
                similar_family := similar_family or way = 'slip' and names[place] = family
                    and text.is_family_name(family) and text.is_family_name(word);
                short := short or way = 'short';
                names := names[:place - 1] || names[place + 1:];
            else
                left_over := left_over || word;
            end if;
        end loop;
        said := left_over;
    end loop;
    short := short or cardinality(said) + cardinality(names) > 0;

    return case
        when cardinality(said) > 0 and family = any(names) then
            case
                when shape = 'unknown' then 'other_given_name'
                when given_is = 'same' then 'other_family_name'
                else 'other_name'
            end
        when cardinality(said) > 0 and cardinality(names) > 0 then
            case when given_is = 'same' then 'other_middle_name' else 'other_name' end
        when given_is = 'absent' then 'no_given_name'
        when given_is = 'marks' then 'other_marks'
        when given_is = 'slip' and not short and slips = 0 and shape = 'family name first'
            then case when may_be_another then 'similar_given_name' else 'slip_in_given_name' end
        when given_is = 'slip' and may_be_another then 'other_name'
        when given_is = 'slip' or slips > 1 then 'slips'
        when similar_family then 'similar_family_name'
        when cardinality(string_to_array(text.fold(stated), ' ')) = 1 then 'given_name_alone'
        when slips = 1 then 'slip'
        else 'part'
    end;
end
$$;
comment on function truth.name_agreement is
    'how a stated name agrees with a known one, for truth.agreement';

create or replace function truth.date_agreement(stated text, known text, stated_at timestamptz) returns text
    language sql stable parallel safe
    return case
        -- To come, or longer ago than anybody lives: it says nothing.
        when stated is null or known is null
            or left(stated, 4)::integer
            not between date_part('year', stated_at) - 130 and date_part('year', stated_at)
            then 'unstated'
        when stated = known and length(stated) = 10 then 'equal'
        when truth.same_partial_date(stated, known)
            -- Where nobody knows the day, many registers write the first of January.
            or left(stated, 4) = left(known, 4)
            and '01-01' in (substr(stated, 6), substr(known, 6)) then 'partial'
        when least(length(stated), length(known)) < 10 then case
            when abs(left(stated, 4)::integer - left(known, 4)::integer) <= 1 then 'near'
            else 'other'
        end
        -- Another day or another month, or they have changed places.
        when left(stated, 4) = left(known, 4) and (
            substr(stated, 6, 2) = substr(known, 6, 2) or substr(stated, 9) = substr(known, 9)
            or substr(stated, 6, 2) = substr(known, 9) and substr(stated, 9) = substr(known, 6, 2)
        ) then 'near'
        -- The same day of another year: a slip, but for the years between parents and children.
        when substr(stated, 6) = substr(known, 6)
            and (
                abs(left(stated, 4)::integer - left(known, 4)::integer) <= 10
                or abs(left(stated, 4)::integer - left(known, 4)::integer) = 100
            ) then 'near'
        else 'other'
    end;
comment on function truth.date_agreement is
    'how a stated birth date agrees with a known one, for truth.agreement';

create or replace function truth.agreement(
    stated_name text, stated_birth text, stated_sex text, stated_at timestamptz,
    known_name text, known_birth text, known_sex text
) returns text
    language sql stable parallel safe
    return truth.name_agreement(stated_name, known_name)
        || ' ' || truth.date_agreement(stated_birth, known_birth, stated_at)
        || case when stated_sex <> known_sex then ' another_sex' else '' end;
comment on function truth.agreement is
    'how a record agrees with the person whose number it states: names, birth dates, sexes; `same_person` in '
    '`mappings/rules/matching.yaml` lists what suffices';
