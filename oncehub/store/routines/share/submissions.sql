create or replace function share.opened_form(asked uuid, by_client text, under_agreement text) returns table (
    procedure text, person text, form_of date, filled text[], confirm jsonb, missing_items text[],
    age interval,
    submission_id uuid, digest bytea, kept text[], submitted_at timestamptz
)
    language sql stable security definer set search_path = ''
begin atomic
    select
        p.procedure, p.person, p.form_of, p.filled, p.confirm, p.missing_items,
        clock_timestamp() - p.answered_at,
        s.submission_id, s.digest, s.kept, s.submitted_at
    from share.prefill p left join share.submission s using (request_id)
    where (p.request_id, p.client_id, p.agreement) = (asked, by_client, under_agreement);
end;
comment on function share.opened_form is
    'the form that a submission answers, for the client that requested it; the API may read neither table';
revoke execute on function share.opened_form from public;
