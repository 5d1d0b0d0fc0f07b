create or replace function truth.has_given_name(stated text, known text) returns boolean
    language sql immutable parallel safe
    return exists (
        select from unnest(string_to_array(text.fold(stated), ' ')) word
        cross join (select text.fold(regexp_replace(btrim(known), '^.*\s', '')) as given) named
        where word = given
            or least(length(word), length(given)) >= 2
            and (
                public.levenshtein_less_equal(left(word, 255), left(given, 255), 1) <= 1
                or length(word) = length(given)
                and public.levenshtein_less_equal(left(word, 255), left(given, 255), 2) = 2
                and exists (
                    select from generate_series(1, length(word) - 1) place
                    where overlay(word placing substr(word, place + 1, 1) || substr(word, place, 1) from place for 2)
                        = given
                )
            )
    );
comment on function truth.has_given_name is
    'a word of the stated name is the given name (tên, the last word) of the known one, up to a letter or two that '
    'changed places';
