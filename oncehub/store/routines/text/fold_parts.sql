-- What leads from a record without usable identifier to a person: models as data, and what each was judged
-- by.
create or replace function text.fold_parts(given text) returns text
    language sql immutable strict parallel safe
    return (
        select string_agg(part, ' ' order by part collate "C")
        from unnest(string_to_array(text.fold(given), ' ')) part
    );
comment on function text.fold_parts is
    'the folded words of a name in the order of the alphabet: equal whatever the order they are stated in';
