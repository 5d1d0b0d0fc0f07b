-- Most of a golden record rests on one record of the register: its origin is kept once, under `*`.
create or replace function truth.origin(provenance jsonb, attribute text) returns jsonb
    language sql immutable parallel safe
    return coalesce(provenance -> attribute, provenance -> '*');
comment on function truth.origin is
    'whose word a believed value is: {source, stream, source_key, as_of, rule}; says nothing of an attribute that has no value';

create or replace function truth.origins(provenance jsonb, attributes text[], encrypted text[]) returns jsonb
    language sql immutable strict parallel safe
    return (
        select coalesce(jsonb_object_agg(key, case
            when jsonb_typeof(value) <> 'object' or key = any(encrypted)
                or key = '*' and cardinality(encrypted) > 0 then value
            else value - '{stream,source_key}'::text[]
        end), '{}')
        from jsonb_each(provenance)
        where key = '*' or key = any(attributes)
    );
comment on function truth.origins is
    'a provenance cut to some attributes, without the records'' keys, which may be other attributes'' values; an encrypted value can be decrypted with its record''s key only';
