-- One table for each entity: what each source stated last. A test compares columns with schemas/canonical.
-- Each source has its own partition of each table: see routines/record/attach_source.sql.
create schema record;

create table record.bank_account (
    source            text not null,
    stream            text not null,
    source_key        text not null,
    account_number    text,
    status            text,
    currency          text,
    opened_on         date,
    consent_reference text,
    stated_at         timestamptz not null,
    received_at       timestamptz not null default now(),
    deleted_at        timestamptz,
    primary key (source, stream, source_key)
) partition by list (source);
comment on column record.bank_account.account_number is
    'encrypted: key id, blind index (by which it is found), and AES-256-GCM bound to the record and the attribute';
create index bank_account_number on record.bank_account (split_part(account_number, ':', 3))
    where account_number is not null;

create table record.customs_registration (
    source         text not null,
    stream         text not null,
    source_key     text not null,
    declarant_code text,
    kind           text,
    name           text,
    tax_code       text,
    address        text,
    phone          text,
    status         text,
    registered_on  date,
    stated_at      timestamptz not null,
    received_at    timestamptz not null default now(),
    deleted_at     timestamptz,
    primary key (source, stream, source_key)
) partition by list (source);

create table record.document (
    source          text not null,
    stream          text not null,
    source_key      text not null,
    file_id         text not null,
    name            text,
    component_code  text,
    digitised       boolean,
    reusable        boolean,
    from_repository boolean,
    replaced_by     text,
    stated_at       timestamptz not null,
    received_at     timestamptz not null default now(),
    deleted_at      timestamptz,
    primary key (source, stream, source_key, file_id)
) partition by list (source);

create table record.dossier (
    source            text not null,
    stream            text not null,
    source_key        text not null,
    code              text,
    procedure_code    text,
    procedure_name    text,
    channel           text,
    owner_personal_id text,
    owner_name        text,
    owner_account     text,
    status            text,
    agency            text,
    accepted_at       timestamptz,
    due_at            timestamptz,
    decided_at        timestamptz,
    returned_at       timestamptz,
    digitised         boolean,
    verified_by_vneid boolean,
    stated_at         timestamptz not null,
    received_at       timestamptz not null default now(),
    deleted_at        timestamptz,
    primary key (source, stream, source_key)
) partition by list (source);
create index dossier_owner on record.dossier (owner_personal_id);

create table record.former_identifier (
    source      text not null,
    stream      text not null,
    source_key  text not null,
    personal_id text not null,
    valid_from  date,
    valid_until date,
    stated_at   timestamptz not null,
    received_at timestamptz not null default now(),
    deleted_at  timestamptz,
    primary key (source, stream, source_key, personal_id)
) partition by list (source);
create index former_identifier_personal_id on record.former_identifier (personal_id);

create table record.person (
    source                   text not null,
    stream                   text not null,
    source_key               text not null,
    personal_id              text,
    national_id_9            text,
    tax_code                 text,
    full_name                text,
    other_name               text,
    birth_date               text,
    sex                      text,
    birth_place              jsonb,
    birth_registration_place jsonb,
    hometown                 jsonb,
    ethnicity                text,
    religion                 text,
    nationality              text,
    blood_type               text,
    id_card                  jsonb,
    father                   jsonb,
    mother                   jsonb,
    spouse                   jsonb,
    permanent_address        jsonb,
    temporary_address        jsonb,
    current_address          jsonb,
    residence_file           text,
    marital_status           text,
    relation_to_head         text,
    household_head           jsonb,
    life_status              text,
    death_date               text,
    phone                    text,
    email                    text,
    name_key                 text generated always as (text.fold_name(full_name)) stored,
    stated_at                timestamptz not null,
    received_at              timestamptz not null default now(),
    deleted_at               timestamptz,
    passport                 text,
    primary key (source, stream, source_key)
) partition by list (source);
comment on column record.person.religion is
    'encrypted: key id and AES-256-GCM, bound to the record and the attribute';
comment on column record.person.blood_type is
    'encrypted: key id and AES-256-GCM, bound to the record and the attribute';
create index person_personal_id on record.person (personal_id) where personal_id is not null;
create index person_national_id_9 on record.person (national_id_9) where national_id_9 is not null;
-- Tax codes are looked up by the part that identifies the person; those of 12 digits are personal numbers.
create index person_tax_code_root on record.person (text.identifying('tax_code', tax_code))
    where tax_code is not null;
create index person_passport on record.person (passport) where passport is not null;
create index person_tax_code_12 on record.person (tax_code) where length(tax_code) = 12;

create table record.tax_registration (
    source        text not null,
    stream        text not null,
    source_key    text not null,
    tax_code      text,
    status        text,
    tax_office    text,
    registered_on date,
    stated_at     timestamptz not null,
    received_at   timestamptz not null default now(),
    deleted_at    timestamptz,
    primary key (source, stream, source_key)
) partition by list (source);
