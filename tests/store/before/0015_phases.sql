-- A run of reconcile in two phases: records are linked, then the people they touch are settled.
create table truth.pending (
    person_key uuid primary key
);
comment on table truth.pending is
    'people of whom a link, or a record, has changed and who are yet to be settled; written with the links';

-- Most of a golden record rests on one record of the register: its origin is kept once, under `*`.
create function truth.origin(provenance jsonb, attribute text) returns jsonb
    language sql immutable parallel safe
    return coalesce(provenance -> attribute, provenance -> '*');
comment on function truth.origin is
    'whose word a believed value is: {source, stream, source_key, as_of, rule}; says nothing of an attribute that has no value';

create function pg_temp.compact(provenance jsonb) returns jsonb
    language sql immutable
    return (
        select coalesce(jsonb_object_agg(key, value) filter (where value <> provenance -> 'full_name'), '{}')
            || jsonb_build_object('*', provenance -> 'full_name')
        from jsonb_each(provenance)
    );
update truth.person set provenance = pg_temp.compact(provenance) where provenance ? 'full_name';
update truth.person_version set provenance = pg_temp.compact(provenance) where provenance ? 'full_name';
comment on column truth.person.provenance is
    'attribute -> {source, stream, source_key, as_of, rule}, and under * that of all attributes not named; read it through truth.origin()';
