-- Folding of Vietnamese text: what is left when case, accents, tone placement and spacing are only form.
-- Generated columns and indexes hold what these functions return: a changed one needs a numbered migration
-- that writes those anew.
create schema text;

-- Taking letters apart and keeping what is ASCII costs a quarter of translating them by a table of 134.
create function text.fold(given text) returns text
    language sql immutable strict parallel safe
    return btrim(regexp_replace(
        lower(translate(
            regexp_replace(normalize(given, nfd), '[\u0300-\u036f]+', '', 'g'),
            'đĐðÐɖƉ', 'dddddd'
        ) collate "C"),
        '[^a-z0-9]+', ' ', 'g'
    ));
comment on function text.fold is
    'Lower case without accents (Đ, its look-alikes and đ become d); anything but letters and digits becomes one space.';

create function text.fold_name(given text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(
        lower(translate(normalize(given, nfd), 'đĐðÐɖƉ', 'dddddd') collate "C"), '[^a-z0-9]+', '', 'g'
    );
comment on function text.fold_name is 'fold() without spaces: names differ in form only when this is equal.';

-- A pattern that is only asked whether it fits costs a fifth of one that is asked for its parts.
create function text.identifying(scheme text, stated text) returns text
    language sql immutable parallel safe
    return case
        when scheme = 'tax_code' then case when stated ~ '^[0-9]{10}(-[0-9]{3})?$' then left(stated, 10) end
        else stated
    end;
comment on function text.identifying is
    'the part of a stated identifier that tells people apart: of a tax code the ten digits, without the number of the branch';
