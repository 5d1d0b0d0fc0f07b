-- With which rules records were linked and people settled: other rules are noticed, and apply to all of them.
create table truth.rules (
    change_id bigint generated always as identity primary key,
    digest    text check (digest ~ '^[0-9a-f]{64}$'),
    since     timestamptz not null default clock_timestamp()
);
comment on table truth.rules is 'the rules that records were linked and people settled with; the last row counts';
comment on column truth.rules.digest is
    'SHA-256 of the four rule files and the attributes of a person; null: people were settled with others than their records were linked with';
