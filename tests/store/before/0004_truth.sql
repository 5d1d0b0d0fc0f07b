-- What is believed, on whose word, and who disagrees.
create schema truth;

create table truth.person (
    person_key uuid not null,
    personal_id text,
    national_id_9 text,
    tax_code text,
    full_name text,
    other_name text,
    birth_date text,
    sex text,
    birth_place jsonb,
    birth_registration_place jsonb,
    hometown jsonb,
    ethnicity text,
    religion text,
    nationality text,
    blood_type text,
    id_card jsonb,
    father jsonb,
    mother jsonb,
    spouse jsonb,
    permanent_address jsonb,
    temporary_address jsonb,
    current_address jsonb,
    residence_file text,
    marital_status text,
    relation_to_head text,
    household_head jsonb,
    life_status text,
    death_date text,
    phone text,
    email text,
    name_key text generated always as (text.fold_name(full_name)) stored,
    provenance jsonb not null,
    believed_from timestamptz not null,
    primary key (person_key)
) partition by hash (person_key);
comment on table truth.person is 'the golden record: per attribute the believed value';
comment on column truth.person.person_key is 'derived from the register record that founds the person; see truth.person_key()';
comment on column truth.person.provenance is 'attribute -> {source, stream, source_key, as_of, rule}';

create table truth.person_version (
    person_key     uuid not null,
    believed_from  timestamptz not null,
    believed_until timestamptz not null,
    believed       jsonb not null,
    provenance     jsonb not null,
    primary key (person_key, believed_from)
) partition by hash (person_key);
comment on table truth.person_version is 'earlier golden records: what was believed in [believed_from, believed_until)';

do $$
begin
    for part in 0..7 loop
        execute format('create table truth.person_%s partition of truth.person for values with (modulus 8, remainder %s)', part, part);
        execute format('create table truth.person_version_%s partition of truth.person_version for values with (modulus 8, remainder %s)', part, part);
    end loop;
end
$$;

create function truth.person_key(source text, stream text, source_key text) returns uuid
    language sql immutable strict parallel safe
    return md5(source || E'\x1f' || stream || E'\x1f' || source_key)::uuid;
comment on function truth.person_key is
    'the same register record founds the same person in whatever order records arrive';

create table truth.identifier (
    scheme     text not null,
    value      text not null,
    person_key uuid not null,
    valid_from date,
    valid_until date,
    current    boolean not null,
    contested  boolean not null default false,
    primary key (scheme, value, person_key)
);
comment on column truth.identifier.contested is 'more than one person claims it: it links nobody until a clerk decides';
create unique index identifier_one_person on truth.identifier (scheme, value) where current and not contested;
create index identifier_person on truth.identifier (person_key);

create table truth.link (
    source     text not null,
    stream     text not null,
    source_key text not null,
    person_key uuid not null,
    method     text not null,
    linked_at  timestamptz not null default now(),
    primary key (source, stream, source_key)
);
create index link_person on truth.link (person_key);

create table truth.discrepancy (
    discrepancy_id bigint generated always as identity primary key,
    person_key  uuid not null,
    attribute   text not null,
    source      text not null,
    stream      text not null,
    source_key  text not null,
    kind        text not null check (kind in ('stale', 'conflict', 'wrong_person', 'deceased')),
    stated      jsonb,
    believed    jsonb,
    stated_at   timestamptz not null,
    as_of       timestamptz,
    opened_at   timestamptz not null default now(),
    closed_at   timestamptz
);
create unique index discrepancy_open on truth.discrepancy (person_key, attribute, source, stream, source_key)
    where closed_at is null;
create index discrepancy_record on truth.discrepancy (source, stream, source_key) where closed_at is null;

create table truth.case_file (
    case_id    bigint generated always as identity primary key,
    kind       text not null,
    person_key uuid,
    source     text not null,
    stream     text not null,
    source_key text not null,
    evidence   jsonb not null,
    opened_at  timestamptz not null default now(),
    closed_at  timestamptz
);
comment on table truth.case_file is 'what a clerk must decide';
create unique index case_open on truth.case_file (kind, source, stream, source_key) where closed_at is null;

create table truth.decision (
    decision_id bigint generated always as identity primary key,
    case_id     bigint not null references truth.case_file,
    verdict     text not null check (verdict in ('same', 'different')),
    reason      text not null,
    decided_by  text not null,
    decided_at  timestamptz not null default now()
);
comment on table truth.decision is 'insert only: a decision is followed by another, never overwritten';
create rule decision_never_changes as on update to truth.decision do instead nothing;
create rule decision_never_goes as on delete to truth.decision do instead nothing;

-- Administrative units: loaded from mappings/codes by `oncehub init`.
create table truth.unit_successor (
    former_unit  text not null,
    present_unit text not null,
    split        boolean not null,
    primary key (former_unit, present_unit)
);
comment on table truth.unit_successor is
    'communes before 2025-07-01 and what each became; a split one has several successors and is never guessed';
