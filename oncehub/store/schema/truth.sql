-- What is believed, by which source's statement, and which records disagree.
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
comment on table truth.person is 'the golden record: per attribute the believed value';
comment on column truth.person.person_key is
    'derived from the register record that founds the person; see truth.person_key()';
comment on column truth.person.religion is 'as in the record that provenance names, to which it is bound';
comment on column truth.person.blood_type is 'as in the record that provenance names, to which it is bound';
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
    'earlier golden records: what was believed in [believed_from, believed_until)';

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
    'more than one person claims it: it links nobody until a clerk decides';
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
    'of links by a model: how probable it holds them; null where an identifier or a clerk links';
-- Every run asks several times which records are a person's: the index alone answers it, instead of a page of
-- the table for each record.
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
    stated         jsonb,
    believed       jsonb,
    stated_at      timestamptz not null,
    as_of          timestamptz,
    opened_at      timestamptz not null default now(),
    closed_at      timestamptz,
    closed_because text check (
        closed_because in (
            'corrected', 'belief_changed', 'record_gone', 'unlinked', 'person_gone', 'ruling', 'rules_changed'
        )
    ),
    -- A discrepancy is its own outbox row: one column, written with each change to it, instead of a second
    -- table.
    changed_in     xid8 not null default pg_current_xact_id(),
    constraint discrepancy_closed_because check ((closed_at is null) = (closed_because is null))
);
comment on column truth.discrepancy.closed_because is
    'corrected: the source states another value, or a duplicate is gone; belief_changed: another value is believed; record_gone, person_gone: deleted; unlinked: the record speaks of somebody else; ruling: a clerk decided; rules_changed: nothing but the rules did';
comment on column truth.discrepancy.changed_in is
    'the transaction that opened or last changed it; who publishes stops below the oldest still open';
create unique index discrepancy_open on truth.discrepancy (person_key, attribute, source, stream, source_key)
    where closed_at is null;
create index discrepancy_record on truth.discrepancy (source, stream, source_key) where closed_at is null;
create index discrepancy_changed on truth.discrepancy (source, changed_in);
-- A run asks, for people who changed in the register, which records were refused for them: few of all that
-- are open.
create index discrepancy_refused on truth.discrepancy (person_key)
    where closed_at is null and (kind = 'wrong_person' or kind = 'invalid' and believed is null);
create index discrepancy_closed on truth.discrepancy (closed_at) where closed_at is not null;

-- Runs open and close cases; one clerk decides, or where rules want it, two.
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
    upheld_by      bigint,
    constraint case_kind check (
        kind in ('wrong_person', 'possible_match', 'contested_identifier', 'correction_request')
    ),
    constraint case_closed_because check ((closed_at is null) = (closed_because is null)),
    constraint case_is_requested check (
        kind <> 'correction_request' or closed_at is not null
        or person_key is not null and evidence ?& array['attribute', 'claimed', 'why']
    )
);
comment on table truth.case_file is 'what a clerk must decide';
comment on column truth.case_file.kind is
    'wrong_person: a number leads to somebody who bears another name and birth date; possible_match: a model is not sure; contested_identifier: a number leads to several people; correction_request: a citizen says that a value is wrong';
comment on column truth.case_file.closed_because is
    'settled: what was stated since leaves nothing to decide; decided: a clerk''s decision has taken effect; corrected: what a citizen has said is believed now';
comment on column truth.case_file.upheld_by is
    'of a correction request, the decision that has upheld it; it stays open until the value is stated otherwise';
create index case_record on truth.case_file (source, stream, source_key) where closed_at is null;
-- About one record several requests may be open, each about another attribute; of every other kind one.
create unique index case_open on truth.case_file (kind, source, stream, source_key)
    where closed_at is null and kind <> 'correction_request';
create unique index case_requested on truth.case_file (person_key, (evidence ->> 'attribute'))
    where closed_at is null and kind = 'correction_request';
create index case_requester on truth.case_file (person_key, opened_at) where kind = 'correction_request';
create index case_upheld on truth.case_file (source)
    where kind = 'correction_request' and upheld_by is not null;

create table truth.decision (
    decision_id  bigint generated always as identity primary key,
    case_id      bigint not null references truth.case_file,
    verdict      text not null check (verdict in ('same', 'different', 'other', 'uphold', 'reject')),
    reason       text not null,
    decided_by   text not null,
    decided_at   timestamptz not null default now(),
    person_key   uuid,
    follows      bigint references truth.decision,
    takes_effect boolean not null default true,
    constraint decision_is_told check (reason <> '' and decided_by <> '')
);
comment on table truth.decision is 'insert only: a decision is followed by another, never overwritten';
comment on column truth.decision.verdict is
    'same: the record speaks of the person named in the case; different: of none of those named; other: of somebody else; of a correction request uphold or reject';
comment on column truth.decision.reason is
    'kept for good; that of rejecting a correction request is told to the citizen';
comment on column truth.decision.person_key is 'of whom the record speaks; null with different';
comment on column truth.decision.follows is 'the decision of the same case that the clerk had before them';
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
    'communes before 2025-07-01 and what each became; a split one has several successors and is never guessed';
-- People of a former commune are looked for among those of the present one, too.
create index unit_successor_present on truth.unit_successor (present_unit);

create table truth.unlinked (
    source     text not null,
    stream     text not null,
    source_key text not null,
    since      timestamptz not null default now(),
    primary key (source, stream, source_key)
);
comment on table truth.unlinked is 'live records of persons that no identifier leads to anyone';

create table truth.pending (
    person_key uuid primary key
);
comment on table truth.pending is
    'people of whom a link, or a record, has changed and who are yet to be settled; written with the links';

-- What leads from a record without a usable identifier to a person: models as data, and what each was judged
-- by.
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
    'insert only but for `active`: what scored a record can always be looked up';
comment on column truth.match_model.rules is
    'what it was trained for: comparisons and blocking as in mappings/rules/matching.yaml';
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

create table truth.match_crowd (
    key  bigint primary key,
    rule text not null
);
comment on table truth.match_crowd is
    'digests of judged records'' blocking keys that too many people share: they find nobody until fewer do';

create table truth.match_candidate (
    source     text not null,
    stream     text not null,
    source_key text not null,
    person_key uuid not null,
    primary key (source, stream, source_key, person_key)
);
comment on table truth.match_candidate is 'the people named in open cases of kind possible_match';
create index match_candidate_person on truth.match_candidate (person_key);

-- What a clerk decided about a record and a person stands above every rule and model, for good.
create table truth.ruling (
    ruling_id   bigint generated always as identity primary key,
    source      text not null,
    stream      text not null,
    source_key  text not null,
    person_key  uuid not null,
    verdict     text not null check (verdict in ('same', 'different')),
    decision_id bigint references truth.decision,
    reason      text not null check (reason <> ''),
    ruled_by    text not null check (ruled_by <> ''),
    ruled_at    timestamptz not null default now(),
    linked_to   uuid,
    method      text
);
comment on table truth.ruling is
    'a clerk''s word that a record speaks of a person, or does not: insert only, a later one supersedes; see truth.standing_ruling';
comment on column truth.ruling.decision_id is
    'the decision of a case that it follows from; null where a clerk ruled without one';
comment on column truth.ruling.linked_to is 'whom the record was linked to until then, and method by what';
create index ruling_record on truth.ruling (source, stream, source_key, person_key, ruling_id);
create index ruling_person on truth.ruling (person_key);

create table truth.severity_rule (
    kind         text not null,
    attribute    text not null,
    opens        text not null check (opens in ('low', 'medium', 'high')),
    medium_after interval,
    high_after   interval,
    primary key (kind, attribute)
);
comment on table truth.severity_rule is
    'as mappings/rules/comparison.yaml says, written by reconciling; attribute * stands for those without a rule of their own';

-- Two people of the register whom a clerk has found to be one: one survives, and the other's key leads there.
create table truth.joining (
    joining_id  bigint generated always as identity primary key,
    person_key  uuid not null,
    into_person uuid not null,
    verdict     text not null check (verdict in ('one', 'two')),
    reason      text not null check (reason <> ''),
    decided_by  text not null check (decided_by <> ''),
    decided_at  timestamptz not null default now(),
    survivor    uuid not null,
    check (into_person <> person_key)
);
comment on table truth.joining is
    'a clerk''s word that two people of the register are one, or two after all: insert only, the latest stands; see truth.joined';
comment on column truth.joining.survivor is 'whom their records are linked to while they are one';
create index joining_person on truth.joining (person_key, joining_id);
create index joining_survivor on truth.joining (survivor);

create table truth.joined (
    person_key  uuid primary key,
    into_person uuid not null,
    survivor    uuid not null,
    joining_id  bigint not null references truth.joining,
    check (survivor <> person_key)
);
comment on table truth.joined is
    'who is not a person of their own as truth.joining stands, and who survives; written by its trigger alone';
create index joined_into on truth.joined (into_person);
create index joined_survivor on truth.joined (survivor);

create table truth.case_rule (
    kind      text primary key,
    four_eyes boolean not null
);
comment on table truth.case_rule is
    'as mappings/rules/cases.yaml says, written by reconciling and by whoever decides';

-- A control report: what stood before, came and went adds up to what stands, source by source and run by run.
create table truth.control_entry (
    entry_id    bigint generated always as identity primary key,
    subject     text not null check (subject in ('discrepancy', 'record')),
    source      text not null,
    kind        text not null,
    added       bigint not null default 0,
    removed     bigint not null default 0,
    turned      bigint not null default 0,
    unexplained bigint not null default 0,
    written_in  xid8 not null default pg_current_xact_id()
);
comment on table truth.control_entry is
    'what each transaction changed, until a run is signed off: only ever appended to, so that nobody waits for anybody';

create table truth.run (
    run_id    bigint generated always as identity primary key,
    signed_at timestamptz not null default now()
);
comment on table truth.run is
    'runs of reconcile that were signed off; one covers all that was committed since the one before, a run cut short included';

create table truth.control (
    run_id      bigint not null references truth.run,
    subject     text not null,
    source      text not null,
    kind        text not null,
    before      bigint not null,
    added       bigint not null,
    removed     bigint not null,
    turned      bigint not null,
    standing    bigint not null,
    unexplained bigint not null,
    primary key (run_id, subject, source, kind)
);
comment on column truth.control.subject is
    'discrepancy: the open ones, by kind; record: those that speak of a person, by the method of their link, or unlinked';
comment on column truth.control.turned is
    'those that came from another kind of the same source less those that went to one: of a source, zero in all';
comment on column truth.control.unexplained is
    'by how many a transaction''s own people had more, or fewer, discrepancies open than it found: zero, or something is wrong';

-- A record that a model has judged stands once, with its keys beside it, and each key is two numbers: so one
-- record's keys are found through the record, without an index over three texts a key.
create table truth.match_record (
    source     text not null,
    stream     text not null,
    source_key text not null,
    entry      bigint generated always as identity,
    keys       bigint[] not null,
    primary key (source, stream, source_key)
);
comment on table truth.match_record is
    'the records that the active model has judged, and digests of the blocking keys by which people who change draw them in';
create unique index match_record_entry on truth.match_record (entry);

create table truth.match_key (
    key   bigint not null,
    entry bigint not null
);
comment on table truth.match_key is 'truth.match_record by each of its keys';
create index match_key_key on truth.match_key (key, entry);
