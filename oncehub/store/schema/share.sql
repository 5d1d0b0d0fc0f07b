-- Data sharing: clients, feeds, correction notices, forms, consents and requests. The API's role cannot read
-- tables with people's keys: it reads through each agreement's own schema, which
-- oncehub/share/access/database_access.py creates from mappings/agreements.
create schema share;
grant usage on schema share to oncehub_api;

create table share.change (
    change_id   bigint generated always as identity primary key,
    transaction xid8 not null default pg_current_xact_id(),
    person_key  uuid not null,
    kind        text not null check (kind in ('created', 'changed', 'removed')),
    attributes  text[] not null,
    occurred_at timestamptz not null default now()
);
comment on table share.change is
    'the transactional outbox, written in the transaction of the change; readers stop below the oldest open transaction';
create index change_order on share.change (transaction, change_id);

create table share.feed (
    feed          text primary key,
    transaction   xid8 not null default '0',
    change_id     bigint not null default 0,
    last_sequence bigint not null default 0,
    published_at  timestamptz
);
comment on table share.feed is
    'how far the outbox has been published to each feed, and the sequence of its last entry';
grant select on share.feed to oncehub_api;

create table share.feed_entry (
    feed         text not null references share.feed,
    sequence     bigint not null,
    person_key   uuid not null,
    line         jsonb not null,
    published_at timestamptz not null default now(),
    primary key (feed, sequence)
);
comment on column share.feed_entry.sequence is
    'without gaps, in commit order: a consumer that stores its last sequence misses nothing';
comment on column share.feed_entry.line is
    'kind, changed attributes, values and as_of; origins: the record that states each encrypted value, which is needed to decrypt it; purged: the values were removed because a later entry has replaced them. The person''s pseudonym is added on reading';
create index feed_entry_person on share.feed_entry (feed, person_key, sequence desc);

create table share.client (
    client_id  text primary key,
    agreement  text not null,
    added_at   timestamptz not null default now(),
    revoked_at timestamptz
);
comment on table share.client is
    'an agency''s client and its agreement; its keys are in share.client_key';
grant select on share.client to oncehub_api;

create table share.assertion (
    client_id  text not null references share.client,
    jti        text not null,
    expires_at timestamptz not null,
    primary key (client_id, jti)
);
comment on table share.assertion is
    'used assertions (RFC 7523 section 3, jti): none is accepted twice';
create index assertion_expired on share.assertion (expires_at);
grant select, insert, delete on share.assertion to oncehub_api;

create table share.correction_feed (
    source          text primary key,
    attributes      text[] not null,
    published_below xid8 not null default '0',
    last_sequence   bigint not null default 0,
    published_at    timestamptz,
    withheld        text[] not null default '{}'
);
comment on table share.correction_feed is
    'how far the discrepancies of each source''s records have been published to it';
comment on column share.correction_feed.attributes is
    'the attributes at the last publication: when the agreement gains one, all discrepancies are examined again';
comment on column share.correction_feed.published_below is
    'every transaction below this one has been published';
comment on column share.correction_feed.withheld is
    'those of the attributes whose notices do not contain the golden value';
grant select on share.correction_feed to oncehub_api;

create table share.notice (
    source         text not null references share.correction_feed,
    sequence       bigint not null,
    notice         bigint not null,
    discrepancy_id bigint,
    change         text not null check (change in ('opened', 'changed', 'closed')),
    attribute      text not null,
    line           jsonb not null,
    published_at   timestamptz not null default now(),
    person_key     uuid,
    case_id        bigint,
    primary key (source, sequence),
    constraint notice_is_about_one check ((discrepancy_id is null) <> (case_id is null))
);
comment on table share.notice is
    'correction notices: an entry each time that a discrepancy opened, changed or closed';
comment on column share.notice.sequence is 'without gaps, in commit order, as in share.feed_entry';
comment on column share.notice.notice is
    'the sequence of the first entry about the discrepancy; the source refers to the notice by it';
comment on column share.notice.line is
    'the source value and the golden value; purged: these and the record''s key were removed because the notice has closed or a later entry has replaced this one';
comment on column share.notice.person_key is
    'the person whose value it contains; null where the record has another person''s number: nothing about that person is disclosed';
comment on column share.notice.case_id is
    'the approved correction request, of a notice without a discrepancy';
create index notice_discrepancy on share.notice (source, discrepancy_id, sequence desc);
create index notice_person on share.notice (source, person_key, sequence) where person_key is not null;
create index notice_case on share.notice (case_id, sequence desc) where case_id is not null;
create index notice_lines on share.notice (source, notice, sequence);
grant select (source, sequence, notice, attribute) on share.notice to oncehub_api;

create table share.consumer_offset (
    feed      text not null,
    kind      text not null check (kind in ('fetched', 'acknowledged')),
    sequence  bigint not null check (sequence > 0),
    client_id text not null references share.client,
    at        timestamptz not null default now(),
    primary key (feed, kind, sequence, client_id)
);
comment on table share.consumer_offset is
    'each advance of a client: it has fetched, or acknowledged, every entry up to the sequence; insert only';
comment on column share.consumer_offset.feed is 'a feed, or corrections.<source>';
grant select, insert (feed, kind, sequence, client_id) on share.consumer_offset to oncehub_api;

create table share.notice_response (
    response_id bigint generated always as identity primary key,
    source      text not null,
    notice      bigint not null,
    client_id   text not null references share.client,
    response    text not null check (response in ('accepted', 'in_progress', 'rejected')),
    reason      text check (reason in ('documented', 'other_person', 'not_kept')),
    at          timestamptz not null default now(),
    foreign key (source, notice) references share.notice (source, sequence),
    check ((response = 'rejected') = (reason is not null))
);
comment on table share.notice_response is 'responses of a source to its notices; the latest counts; insert only';
comment on column share.notice_response.reason is
    'documented: a document proves the source''s value; other_person: its record belongs to another person; not_kept: another system keeps the value';
create index notice_response_latest on share.notice_response (source, notice, response_id desc);
grant select, insert (source, notice, client_id, response, reason) on share.notice_response to oncehub_api;

-- Filled forms, so that each submission can be matched to the form it answers.
create table share.prefill (
    request_id    uuid primary key,
    client_id     text not null references share.client,
    agreement     text not null,
    procedure     text not null,
    person        text not null,
    form_of       date not null,
    filled        text[] not null,
    confirm       jsonb not null,
    missing_items text[] not null,
    answered_at   timestamptz not null default now()
);
comment on table share.prefill is
    'a form that was filled for a person: names of items, no values; written in the transaction of the answer; purged by retention.yaml';
comment on column share.prefill.person is 'the pseudonym, as in audit.entry';
comment on column share.prefill.form_of is 'the day of the dossier, which determines the version of the form';
comment on column share.prefill.confirm is
    'item to be confirmed -> keyed digest of the value shown; null where the value is of a relative';
create index prefill_answered on share.prefill (answered_at);
grant insert (request_id, client_id, agreement, procedure, person, form_of, filled, confirm, missing_items)
    on share.prefill to oncehub_api;

create table share.submission (
    request_id    uuid primary key references share.prefill,
    submission_id uuid not null default gen_random_uuid() unique,
    dossier       text not null,
    digest        bytea not null,
    kept          text[] not null,
    submitted_at  timestamptz not null default now()
);
comment on table share.submission is
    'the one submission of a form: the answers themselves wait in intake.submission, here is their digest; purged by retention.yaml after they have landed';
comment on column share.submission.digest is
    'keyed digest of the content, so that a repeated submission gets the same answer';
comment on column share.submission.kept is 'the items whose answers the hub keeps as attributes';
create index submission_submitted on share.submission (submitted_at);
grant insert (request_id, dossier, digest, kept) on share.submission to oncehub_api;

-- How much of each procedure's form the hub fills, by day; totals only, nothing about single people.
create table share.coverage (
    day         date not null,
    agreement   text not null,
    procedure   text not null,
    people      bigint not null check (people >= 0),
    items       integer not null check (items > 0),
    filled      bigint not null,
    confirm     bigint not null,
    papers      bigint not null,
    missing     jsonb not null,
    measured_at timestamptz not null default now(),
    primary key (agreement, procedure, day)
);
comment on table share.coverage is
    'items summed over all people for whom the form may be opened under an agreement; the last measurement of each day';
comment on column share.coverage.items is 'items that the form has for one person';
comment on column share.coverage.missing is 'reason -> items';

-- Citizens' requests as data subjects, and when they are due.
create table share.request (
    request_id  uuid primary key,
    kind        text not null check (
        kind in ('withdrawal', 'restriction', 'objection', 'view', 'correction', 'provision', 'erasure')
    ),
    party       text not null check (party in ('controller', 'processor')),
    person_key  uuid not null,
    agreement   text,
    consent_id  uuid,
    case_id     bigint,
    received_at timestamptz not null,
    answer_by   date not null,
    due_on      date not null,
    opened_at   timestamptz not null default now()
);
comment on table share.request is
    'citizens'' requests under Nghị định 356/2025/NĐ-CP; insert only and never purged, as proof of what was answered and when';
comment on column share.request.party is 'who must carry it out: a processor or third party has more time';
comment on column share.request.answer_by is
    'the last day, in Vietnam, to answer the citizen';
comment on column share.request.due_on is
    'the last day, in Vietnam, to carry it out, unless it is extended';
create index request_due on share.request (due_on);
create index request_case on share.request (case_id) where case_id is not null;
grant insert (request_id, kind, party, person_key, agreement, consent_id, case_id, received_at, answer_by,
    due_on)
    on share.request to oncehub_api;

create table share.request_step (
    request_id uuid not null references share.request,
    step       text not null check (step in ('answered', 'extended', 'done', 'refused')),
    due_on     date,
    reason     text check (length(reason) between 1 and 2000),
    noted_by   text not null check (length(noted_by) between 1 and 200),
    at         timestamptz not null default now(),
    primary key (request_id, step),
    check ((step = 'extended') = (due_on is not null)),
    check (step not in ('extended', 'refused') or reason is not null)
);
comment on table share.request_step is
    'steps of a request, each at most once, so that a request is extended at most once; insert only';

-- Consents of citizens and their withdrawals, with proof; never deleted.
create table share.consent (
    consent_id   uuid primary key,
    person_key   uuid not null,
    agreement    text not null,
    agency       text not null,
    purpose      text not null,
    attributes   text[] not null check (cardinality(attributes) > 0),
    text_version text not null check (length(text_version) between 1 and 100),
    text_digest  text not null check (text_digest ~ '^[0-9a-f]{64}$'),
    given_at     timestamptz not null,
    channel      text not null check (channel in ('vneid', 'portal', 'counter')),
    reference    text not null check (length(reference) between 1 and 100),
    officer      text check (length(officer) between 1 and 100),
    recorded_by  text not null check (length(recorded_by) between 1 and 200),
    recorded_at  timestamptz not null default clock_timestamp(),
    unique (agreement, channel, reference),
    check (channel <> 'counter' or officer is not null)
);
comment on table share.consent is
    'the consents of citizens (Nghị định 356/2025/NĐ-CP Điều 6: who, when, to what); insert only';
comment on column share.consent.attributes is 'every attribute by name; none is included by default';
comment on column share.consent.text_digest is 'SHA-256 of the text that the citizen was shown';
comment on column share.consent.reference is
    'the reference of its proof: the transaction at VNeID or the portal, or the paper signed at a counter';
comment on column share.consent.officer is 'the officer at the counter, if any';
comment on column share.consent.recorded_by is 'the client, or the account at the command line, that recorded it';
create index consent_person on share.consent (person_key, agreement);

create table share.consent_withdrawal (
    consent_id   uuid primary key references share.consent,
    withdrawn_at timestamptz not null,
    channel      text not null check (channel in ('vneid', 'portal', 'counter')),
    reference    text not null check (length(reference) between 1 and 100),
    officer      text check (length(officer) between 1 and 100),
    recorded_by  text not null check (length(recorded_by) between 1 and 200),
    recorded_at  timestamptz not null default clock_timestamp(),
    check (channel <> 'counter' or officer is not null)
);
comment on table share.consent_withdrawal is
    'withdrawals of consents; each takes effect at once and is final; insert only';

-- A client may have several keys, so that keys can be rotated without interruption.
create table share.client_key (
    client_id   text not null references share.client,
    thumbprint  text not null check (thumbprint ~ '^[A-Za-z0-9_-]{43}$'),
    public_key  jsonb not null,
    valid_from  timestamptz not null default now(),
    valid_until timestamptz not null,
    added_at    timestamptz not null default now(),
    leaked_at   timestamptz,
    primary key (client_id, thumbprint)
);
comment on table share.client_key is
    'public JWKs (RFC 7517) that verify a client''s assertions; retiring a key ends its validity early';
comment on column share.client_key.thumbprint is
    'RFC 7638, SHA-256: what an assertion names as kid, and a token as key';
comment on column share.client_key.leaked_at is
    'when the key leaked: it is invalid and can never be registered again';
create index client_key_thumbprint on share.client_key (thumbprint);
grant select (client_id, thumbprint, public_key, valid_from, valid_until, leaked_at)
    on share.client_key to oncehub_api;

create table share.token_key (
    change_id   bigint generated always as identity primary key,
    fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
    signs_since timestamptz not null default clock_timestamp()
);
comment on table share.token_key is
    'each change of the key that signs tokens: the previous key is accepted until its tokens have expired; insert only';
comment on column share.token_key.fingerprint is
    'HMAC-SHA256 of a fixed text under the key; the key itself is not in the database';
grant select (change_id, fingerprint, signs_since), insert (fingerprint) on share.token_key to oncehub_api;

-- The person of each fetched entry that was purged from a feed.
create table share.past_disclosure (
    feed       text not null,
    sequence   bigint not null,
    person_key uuid not null,
    attribute  text,
    primary key (feed, sequence)
);
comment on table share.past_disclosure is
    'the person in each entry that was given out and has since been purged, without its values';
create index past_disclosure_person on share.past_disclosure (person_key);
