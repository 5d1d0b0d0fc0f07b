-- Folding of Vietnamese text: texts that differ only in case, accents, tone placement or spacing fold to
-- the same text. Generated columns and indexes store what these functions return: to change a function, add a
-- numbered migration that also rewrites those.
create schema text;

-- Decomposing letters and dropping the accents takes a quarter of the time of a table of 134 letters.
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
    'lower case without accents (Đ, its look-alikes and đ become d); anything but letters and digits becomes one space';

create function text.fold_name(given text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(
        lower(translate(normalize(given, nfd), 'đĐðÐɖƉ', 'dddddd') collate "C"), '[^a-z0-9]+', '', 'g'
    );
comment on function text.fold_name is 'fold() without spaces: it is equal for names that differ only in form';

-- Testing whether a pattern matches takes a fifth of the time of extracting its groups.
create function text.identifying(scheme text, stated text) returns text
    language sql immutable parallel safe
    return case
        when scheme = 'tax_code' then case when stated ~ '^[0-9]{10}(-[0-9]{3})?$' then left(stated, 10) end
        else stated
    end;
comment on function text.identifying is
    'the part of a stated identifier that identifies the person: of a tax code the ten digits without the branch number';
