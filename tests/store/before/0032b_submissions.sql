-- Forms that were filled, so that what comes back is known to answer one, and what came back.
create table share.prefill (
    request_id  uuid primary key,
    client_id   text not null references share.consumer,
    agreement   text not null,
    procedure   text not null,
    person      text not null,
    form_of     date not null,
    filled      text[] not null,
    confirm     jsonb not null,
    ask         text[] not null,
    answered_at timestamptz not null default now()
);
comment on table share.prefill is
    'a form as it was filled for a person, written with the answer: names of items and no value; purged by retention.yaml';
comment on column share.prefill.person is 'the pseudonym that audit.entry holds, too';
comment on column share.prefill.form_of is 'the day of the dossier, which decides the version of the form';
comment on column share.prefill.confirm is
    'item to be confirmed -> keyed digest of the value shown; null where the value is of a relative';
create index prefill_answered on share.prefill (answered_at);

create table share.submission (
    request_id    uuid primary key references share.prefill,
    submission_id uuid not null default gen_random_uuid() unique,
    dossier       text not null,
    digest        bytea not null,
    kept          text[] not null,
    submitted_at  timestamptz not null default now()
);
comment on table share.submission is
    'what came back for a form, once; what was said waits in intake.submitted, and here is only its digest; purged by retention.yaml once that has landed';
comment on column share.submission.digest is 'keyed digest of the content: the same again is answered the same';
comment on column share.submission.kept is 'the items that the hub keeps an attribute for';
create index submission_submitted on share.submission (submitted_at);

create trigger prefill_never_changes before update on share.prefill
    for each statement execute function audit.refuse_change();
create trigger submission_never_changes before update on share.submission
    for each statement execute function audit.refuse_change();

create function share.opened_form(asked uuid, by_client text, under_agreement text) returns table (
    procedure text, person text, form_of date, filled text[], confirm jsonb, ask text[], age interval,
    submission_id uuid, digest bytea, kept text[], submitted_at timestamptz
)
    language sql stable security definer set search_path = ''
begin atomic
    select
        p.procedure, p.person, p.form_of, p.filled, p.confirm, p.ask, clock_timestamp() - p.answered_at,
        s.submission_id, s.digest, s.kept, s.submitted_at
    from share.prefill p left join share.submission s using (request_id)
    where (p.request_id, p.client_id, p.agreement) = (asked, by_client, under_agreement);
end;
comment on function share.opened_form is
    'the form that a submission answers, for the client that had it filled: the API may read neither table';
revoke execute on function share.opened_form from public;
grant execute on function share.opened_form to oncehub_api;
grant insert (request_id, client_id, agreement, procedure, person, form_of, filled, confirm, ask)
    on share.prefill to oncehub_api;
grant insert (request_id, dossier, digest, kept) on share.submission to oncehub_api;
