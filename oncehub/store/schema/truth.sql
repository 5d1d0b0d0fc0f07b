-- Golden records with their provenance, the links of records to people, and discrepancies.
create schema truth;
grant usage on schema truth to oncehub_api;

create table truth.person (
    person_key               uuid not null,
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
    provenance               jsonb not null,
    believed_from            timestamptz not null,
    passport                 text,
    primary key (person_key)
) partition by hash (person_key);
comment on table truth.person is 'golden records: the golden value of each attribute';
comment on column truth.person.person_key is
    'derived from the register record that founds the person; see truth.person_key()';
comment on column truth.person.religion is
    'encrypted as in the record that provenance names, with whose key it is decrypted';
comment on column truth.person.blood_type is
    'encrypted as in the record that provenance names, with whose key it is decrypted';
comment on column truth.person.provenance is
    'attribute -> {source, stream, source_key, as_of, rule}, and under * that of all attributes not named; read it through truth.origin()';
-- The members of a household are found by the head that the register names for each of them.
create index person_household on truth.person ((household_head ->> 'personal_id'))
    where household_head ->> 'personal_id' is not null;

create table truth.person_version (
    person_key     uuid not null,
    believed_from  timestamptz not null,
    believed_until timestamptz not null,
    believed       jsonb not null,
    provenance     jsonb not null,
    primary key (person_key, believed_from)
) partition by hash (person_key);
comment on table truth.person_version is
    'earlier golden records, each with the time in which it was the golden record: [believed_from, believed_until)';

do $$
begin
    for part in 0..7 loop
        execute format(
            'create table truth.person_%s partition of truth.person '
            'for values with (modulus 8, remainder %s)', part, part
        );
        execute format(
            'create table truth.person_version_%s partition of truth.person_version '
            'for values with (modulus 8, remainder %s)', part, part
        );
    end loop;
end
$$;

create table truth.identifier (
    scheme      text not null,
    value       text not null,
    person_key  uuid not null,
    valid_from  date,
    valid_until date,
    current     boolean not null,
    contested   boolean not null default false,
    primary key (scheme, value, person_key)
);
comment on column truth.identifier.contested is
    'several people bear it: it links nobody until a clerk decides';
create unique index identifier_one_person on truth.identifier (scheme, value)
    where current and not contested;
create index identifier_person on truth.identifier (person_key);

create table truth.link (
    source      text not null,
    stream      text not null,
    source_key  text not null,
    person_key  uuid not null,
    method      text not null,
    linked_at   timestamptz not null default now(),
    probability real,
    primary key (source, stream, source_key)
);
comment on column truth.link.probability is
    'of links by a matching model; null where an identifier or a clerk links';
-- A run reads the records of people several times: from this index alone, instead of a page of the table for
-- each record.
create index link_person on truth.link (person_key) include (source, stream, source_key, method);

create table truth.discrepancy (
    discrepancy_id bigint generated always as identity primary key,
    person_key     uuid not null,
    attribute      text not null,
    source         text not null,
    stream         text not null,
    source_key     text not null,
    kind           text not null check (
        kind in ('conflict', 'stale', 'form', 'missing', 'wrong_person', 'deceased', 'duplicate', 'invalid')
    ),
    source_value   jsonb,
    golden_value   jsonb,
    stated_at      timestamptz not null,
    as_of          timestamptz,
    opened_at      timestamptz not null default now(),
    closed_at      timestamptz,
    closed_because text check (
        closed_because in (
            'corrected', 'belief_changed', 'record_gone', 'unlinked', 'person_gone', 'override',
            'rules_changed'
        )
    ),
    -- A discrepancy is its own outbox row: one column, written with each change to it, instead of a second
    -- table.
    changed_in     xid8 not null default pg_current_xact_id(),
    constraint discrepancy_closed_because check ((closed_at is null) = (closed_because is null))
);
comment on column truth.discrepancy.closed_because is
    'corrected: the source states another value, or a duplicate is gone; belief_changed: there is another golden value; record_gone, person_gone: deleted; unlinked: the record describes somebody else; override: a clerk decided; rules_changed: only the rules changed';
comment on column truth.discrepancy.changed_in is
    'the transaction that opened or last changed it; publishing stops below the oldest one that is still running';
create unique index discrepancy_open on truth.discrepancy (person_key, attribute, source, stream, source_key)
    where closed_at is null;
create index discrepancy_record on truth.discrepancy (source, stream, source_key) where closed_at is null;
create index discrepancy_changed on truth.discrepancy (source, changed_in);
-- A run reads the records refused for people who changed in the register: few of the open discrepancies.
create index discrepancy_refused on truth.discrepancy (person_key)
    where closed_at is null and (kind = 'wrong_person' or kind = 'invalid' and golden_value is null);
create index discrepancy_closed on truth.discrepancy (closed_at) where closed_at is not null;

-- Runs open and close cases; one clerk decides or, where cases.yaml says so, two.
create table truth.case_file (
    case_id        bigint generated always as identity primary key,
    kind           text not null,
    person_key     uuid,
    source         text not null,
    stream         text not null,
    source_key     text not null,
    evidence       jsonb not null,
    opened_at      timestamptz not null default now(),
    closed_at      timestamptz,
    closed_because text check (closed_because in ('settled', 'decided', 'corrected')),
    approved_by    bigint,
    constraint case_kind check (
        kind in ('wrong_person', 'possible_match', 'contested_identifier', 'correction_request')
    ),
    constraint case_closed_because check ((closed_at is null) = (closed_because is null)),
    constraint case_is_requested check (
        kind <> 'correction_request' or closed_at is not null
        or person_key is not null and evidence ?& array['attribute', 'claimed', 'why']
    )
);
comment on table truth.case_file is 'questions that a clerk decides';
comment on column truth.case_file.kind is
    'wrong_person: a number leads to a person of another name and birth date; possible_match: the matching model is not sure; contested_identifier: a number leads to several people; correction_request: a citizen says that a value is wrong';
comment on column truth.case_file.closed_because is
    'settled: the records have changed, so that nothing is left to decide; decided: a clerk''s decision has taken effect; corrected: the claimed value is the golden value now';
comment on column truth.case_file.approved_by is
    'of a correction request, the decision that approved it; it stays open until its source states the value';
create index case_record on truth.case_file (source, stream, source_key) where closed_at is null;
-- One case of each kind is open for a record; of correction requests, one for each attribute of a person.
create unique index case_open on truth.case_file (kind, source, stream, source_key)
    where closed_at is null and kind <> 'correction_request';
create unique index case_requested on truth.case_file (person_key, (evidence ->> 'attribute'))
    where closed_at is null and kind = 'correction_request';
create index case_requester on truth.case_file (person_key, opened_at) where kind = 'correction_request';
create index case_approved on truth.case_file (source)
    where kind = 'correction_request' and approved_by is not null;

create table truth.decision (
    decision_id  bigint generated always as identity primary key,
    case_id      bigint not null references truth.case_file,
    verdict      text not null check (verdict in ('same', 'different', 'other', 'approve', 'reject')),
    reason       text not null,
    decided_by   text not null,
    decided_at   timestamptz not null default now(),
    person_key   uuid,
    follows      bigint references truth.decision,
    takes_effect boolean not null default true,
    constraint decision_is_told check (reason <> '' and decided_by <> '')
);
comment on table truth.decision is 'insert only: a decision is followed by another, never changed';
comment on column truth.decision.verdict is
    'same: the record describes the person named in the case; different: none of those named; other: somebody else; of a correction request approve or reject';
comment on column truth.decision.reason is
    'kept for good; the citizen sees the reason for rejecting a correction request';
comment on column truth.decision.person_key is 'the person that the record describes; null with different';
comment on column truth.decision.follows is 'the decision of the same case that the clerk had seen';
comment on column truth.decision.takes_effect is 'false while another clerk must confirm it';
create index decision_case on truth.decision (case_id, decision_id);

-- Administrative units: loaded from mappings/codes by `oncehub init`.
create table truth.unit_successor (
    former_unit  text not null,
    present_unit text not null,
    split        boolean not null,
    primary key (former_unit, present_unit)
);
comment on table truth.unit_successor is
    'communes before 2025-07-01 with their successors; one that was split has several, none of which is guessed (Nghị quyết 202/2025/QH15)';
-- Matching compares people of a former commune with those of the present one, too.
create index unit_successor_present on truth.unit_successor (present_unit);

create table truth.unlinked (
    source     text not null,
    stream     text not null,
    source_key text not null,
    since      timestamptz not null default now(),
    primary key (source, stream, source_key)
);
comment on table truth.unlinked is 'live person records that are not linked';

create table truth.pending (
    person_key uuid primary key
);
comment on table truth.pending is
    'people to settle: a link or a record of theirs has changed; written in the transaction that links';

-- Matching models, which link records without a usable identifier, and their blocking keys.
create table truth.match_model (
    model_id   bigint generated always as identity primary key,
    trained_at timestamptz not null default now(),
    trained_by text not null,
    reason     text not null,
    rules      jsonb not null,
    settings   jsonb not null,
    people     bigint not null check (people > 0),
    labels     bigint not null,
    active     boolean not null default false
);
comment on table truth.match_model is
    'insert only except `active`: the model that scored a record can always be looked up';
comment on column truth.match_model.rules is
    'the comparisons and blocking rules that it was trained for, as in mappings/rules/matching.yaml';
comment on column truth.match_model.settings is 'the Splink settings with the trained parameters';
comment on column truth.match_model.people is 'live records of the register when it was trained';
comment on column truth.match_model.labels is 'records linked by an identifier that it learned from';
create unique index match_model_active on truth.match_model (active) where active;

create table truth.match_frequency (
    model_id  bigint not null references truth.match_model,
    term      text not null,
    value     text not null,
    frequency double precision not null,
    primary key (model_id, term, value)
);
comment on table truth.match_frequency is
    'share of the register''s people that bore a folded name when the model was trained, of names that several bore';

create table truth.oversized_block (
    key  bigint primary key,
    rule text not null
);
comment on table truth.oversized_block is
    'digests of blocking keys that more people share than `max_block_size` allows: they find nobody until fewer people do';

create table truth.match_candidate (
    source     text not null,
    stream     text not null,
    source_key text not null,
    person_key uuid not null,
    primary key (source, stream, source_key, person_key)
);
comment on table truth.match_candidate is 'the people named in open cases of kind possible_match';
create index match_candidate_person on truth.match_candidate (person_key);

-- A link override takes precedence over every rule and model.
create table truth.link_override (
    override_id   bigint generated always as identity primary key,
    source      text not null,
    stream      text not null,
    source_key  text not null,
    person_key  uuid not null,
    verdict     text not null check (verdict in ('same', 'different')),
    decision_id bigint references truth.decision,
    reason      text not null check (reason <> ''),
    decided_by    text not null check (decided_by <> ''),
    decided_at    timestamptz not null default now(),
    linked_to   uuid,
    method      text
);
comment on table truth.link_override is
    'a clerk''s decision that a record describes a person, or does not: insert only, a later one replaces it; see truth.active_link_override';
comment on column truth.link_override.decision_id is
    'the decision of a case that it follows from; null without a case';
comment on column truth.link_override.linked_to is
    'the person to whom the record was linked until then; method: of that link';
create index link_override_record
    on truth.link_override (source, stream, source_key, person_key, override_id);
create index link_override_person on truth.link_override (person_key);

create table truth.severity_rule (
    kind         text not null,
    attribute    text not null,
    opens        text not null check (opens in ('low', 'medium', 'high')),
    medium_after interval,
    high_after   interval,
    primary key (kind, attribute)
);
comment on table truth.severity_rule is
    '`severity` of mappings/rules/comparison.yaml, stored by every run; attribute * is for attributes without a rule of their own';

-- Two people of the register who are one: one survives, and the other's key leads to the survivor.
create table truth.merge_decision (
    merge_decision_id  bigint generated always as identity primary key,
    person_key  uuid not null,
    merged_into uuid not null,
    verdict     text not null check (verdict in ('one', 'two')),
    reason      text not null check (reason <> ''),
    decided_by  text not null check (decided_by <> ''),
    decided_at  timestamptz not null default now(),
    survivor    uuid not null,
    check (merged_into <> person_key)
);
comment on table truth.merge_decision is
    'a clerk''s decision that two people of the register are one, or two after all: insert only, the latest is active; see truth.merged_person';
comment on column truth.merge_decision.survivor is
    'the person to whom their records are linked while they are merged';
create index merge_decision_person on truth.merge_decision (person_key, merge_decision_id);
create index merge_decision_survivor on truth.merge_decision (survivor);

create table truth.merged_person (
    person_key  uuid primary key,
    merged_into uuid not null,
    survivor    uuid not null,
    merge_decision_id  bigint not null references truth.merge_decision,
    check (survivor <> person_key)
);
comment on table truth.merged_person is
    'the people who are merged now, each with the survivor; written only by the trigger of truth.merge_decision';
create index merged_person_into on truth.merged_person (merged_into);
create index merged_person_survivor on truth.merged_person (survivor);

create table truth.case_rule (
    kind      text primary key,
    four_eyes boolean not null
);
comment on table truth.case_rule is
    'mappings/rules/cases.yaml, stored by every run and before a clerk decides';

-- The run balance: opening count, additions and removals give the closing count, for each source and run.
create table truth.run_balance_entry (
    entry_id    bigint generated always as identity primary key,
    subject     text not null check (subject in ('discrepancy', 'record')),
    source      text not null,
    kind        text not null,
    added       bigint not null default 0,
    removed     bigint not null default 0,
    changed     bigint not null default 0,
    unexplained bigint not null default 0,
    written_in  xid8 not null default pg_current_xact_id()
);
comment on table truth.run_balance_entry is
    'the changes of each transaction since the last closed run: append only, so that transactions do not wait for each other';

create table truth.run (
    run_id    bigint generated always as identity primary key,
    closed_at timestamptz not null default now()
);
comment on table truth.run is
    'closed runs of reconcile; each covers everything committed since the one before, including runs that were interrupted';

create table truth.run_balance (
    run_id      bigint not null references truth.run,
    subject     text not null,
    source      text not null,
    kind        text not null,
    opening     bigint not null,
    added       bigint not null,
    removed     bigint not null,
    changed     bigint not null,
    closing     bigint not null,
    unexplained bigint not null,
    primary key (run_id, subject, source, kind)
);
comment on column truth.run_balance.subject is
    'discrepancy: the open ones, by kind; record: those that describe a person, by the method of their link, or unlinked';
comment on column truth.run_balance.changed is
    'those that came from another kind of the same source, less those that went to one: zero in all for a source';
comment on column truth.run_balance.unexplained is
    'by how many the open discrepancies of a transaction''s people differ from those that it found; zero unless something is wrong';

-- A record is stored once with its blocking keys, and each key as two numbers, so that a record's keys are
-- found without an index over three texts for each key.
create table truth.blocked_record (
    source     text not null,
    stream     text not null,
    source_key text not null,
    entry      bigint generated always as identity,
    keys       bigint[] not null,
    primary key (source, stream, source_key)
);
comment on table truth.blocked_record is
    'records compared by the active matching model, with digests of the blocking keys by which people who change draw them in';
create unique index blocked_record_entry on truth.blocked_record (entry);

create table truth.blocking_key (
    key   bigint not null,
    entry bigint not null
);
comment on table truth.blocking_key is 'truth.blocked_record by key';
create index blocking_key_key on truth.blocking_key (key, entry);
