-- Who at the command line saw personal data in clear, and why nobody need guess.
create table audit.disclosure (
    disclosure_id bigint generated always as identity primary key,
    at            timestamptz not null default clock_timestamp(),
    login         text not null,
    command       text not null,
    source        text not null,
    stream        text not null,
    records       bigint not null
);
comment on table audit.disclosure is 'records shown unmasked by a command, written before they are shown; insert only';
comment on column audit.disclosure.login is 'the operating system''s account and host';
create trigger disclosure_insert_only before update or delete or truncate on audit.disclosure
    for each statement execute function audit.refuse_change();
