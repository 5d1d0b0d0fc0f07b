-- The access log: who looked at whose data, with which legal basis. Every table is insert only: see
-- routines/audit/insert_only.sql.
create schema audit;
grant usage on schema audit to oncehub_api;

create table audit.entry (
    entry_id       bigint generated always as identity primary key,
    at             timestamptz not null default clock_timestamp(),
    client_id      text not null,
    agency         text not null,
    agreement      text not null,
    purpose        text not null,
    legal_basis    text not null,
    action         text not null check (action ~ '^[a-z_]+$'),
    procedure      text,
    person         text,
    attributes     text[] not null,
    refused        text[] not null default '{}',
    outcome        text not null check (outcome in ('answered', 'not_found', 'refused')),
    request_id     uuid not null,
    transaction    xid8 not null default pg_current_xact_id(),
    officer        text,
    case_id        bigint,
    decision_id    bigint,
    withheld       text check (withheld in ('population', 'consent')),
    involvement    text check (involvement in ('consulted', 'appeared')),
    feed           text,
    first_sequence bigint,
    last_sequence  bigint,
    given          text,
    hidden_by      text,
    constraint entry_page check (
        (first_sequence is null) = (last_sequence is null)
        and (first_sequence is null) = (given is null)
        and (first_sequence is null or feed is not null)
    )
);
comment on column audit.entry.action is 'one of those that oncehub/audit/log/entries.py lists';
comment on column audit.entry.person is
    'keyed pseudonym of the person; null where the request was refused before the search, or found nobody';
comment on column audit.entry.attributes is
    'the attributes that left the hub; of a refused or unanswered request, those requested';
comment on column audit.entry.transaction is
    'a checkpoint takes what no open transaction can precede; further columns must allow null, which a signed line leaves out';
comment on column audit.entry.officer is
    'the agency''s officer, from the claim act of the token; null for a request of a system';
comment on column audit.entry.case_id is
    'the case that was read or decided; one line for each person whose data was shown';
comment on column audit.entry.withheld is
    'why a person who was found is left out of the answer, which is then the same as for nobody found: outside the agreement''s population, or without consent';
comment on column audit.entry.involvement is
    'consulted: the request was about this person; appeared: it was about somebody or something else, and its answer contained this person';
comment on column audit.entry.feed is 'of a page, its sequence: a feed, or corrections.<source>';
comment on column audit.entry.first_sequence is
    'of a page, the first line that was given out, and last_sequence the last; who appeared in it, share.disclosed_person tells';
comment on column audit.entry.given is
    'of a page, the Merkle root (RFC 6962) over "<sequence> <pseudonym of the person>" of each of its lines';
comment on column audit.entry.hidden_by is
    'the legal text that hides the line from the person, as of the time when it was written; see audit.usage_of';
create index entry_agreement on audit.entry (agreement, at);
create index entry_order on audit.entry (transaction, entry_id);
create index entry_person on audit.entry (person, at, entry_id) where person is not null;
create index entry_page on audit.entry using gist (int8range(first_sequence, last_sequence, '[]'))
    where first_sequence is not null;
grant insert (client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes,
    refused, outcome, request_id, officer, case_id, decision_id, withheld, involvement, feed,
    first_sequence, last_sequence, given, hidden_by)
    on audit.entry to oncehub_api;

create table audit.disclosure (
    disclosure_id bigint generated always as identity primary key,
    at            timestamptz not null default clock_timestamp(),
    login         text not null,
    command       text not null,
    source        text not null,
    stream        text not null,
    records       bigint not null
);
comment on table audit.disclosure is
    'records shown unmasked by a command, written before they are shown; insert only';
comment on column audit.disclosure.login is 'account and host of the operating system';

-- The log is signed in batches, in the order of commit, each bound to the one before it and signed.
create table audit.checkpoint (
    number    bigint primary key check (number > 0),
    entries   bigint[] not null check (cardinality(entries) > 0),
    leaves    bytea not null,
    statement text not null,
    horizon   xid8 not null,
    signed_at timestamptz not null,
    check (length(leaves) = 32 * cardinality(entries))
);
comment on table audit.checkpoint is
    'batches of the access log; what counts is the signed statement, the other columns serve to find and to name';
comment on column audit.checkpoint.entries is 'the lines in their order';
comment on column audit.checkpoint.leaves is
    'SHA-256 of each line, 32 bytes after 32, of which the statement holds the Merkle root (RFC 6962)';
comment on column audit.checkpoint.statement is
    'JWS (RFC 7515) over number, previous, root, lines, horizon and signed_at';
comment on column audit.checkpoint.horizon is
    'every line of a transaction below it is in this checkpoint or an earlier one';

-- What was purged, by which rule, and how many rows.
create table audit.purge (
    number    bigint primary key check (number > 0),
    kind      text not null,
    removed   bigint not null check (removed > 0),
    statement text not null,
    purged_at timestamptz not null default now()
);
comment on table audit.purge is
    'proof of each batch that was purged; insert only, each statement signed and holding the hash of the one before it';
comment on column audit.purge.statement is
    'JWS (RFC 7515): kind, rule, horizon, count, keyed digest over the keys of what was removed, when and by which run';
