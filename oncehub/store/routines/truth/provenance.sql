-- Most of a golden record rests on one record of the register: its origin is stored once, under `*`.
create or replace function truth.origin(provenance jsonb, attribute text) returns jsonb
    language sql immutable parallel safe
    return coalesce(provenance -> attribute, provenance -> '*');
comment on function truth.origin is
    'the record that a golden value rests on: {source, stream, source_key, as_of, rule}; meaningless for an attribute without a value';

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
    'the provenance of some attributes, without the records'' keys, which may be values of other attributes; encrypted values keep theirs, which decryption needs';
