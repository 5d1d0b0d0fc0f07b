create function {schema}.opened_form(asked uuid, by_client text, under_agreement text) returns table (
    procedure text, person text, form_of date, filled text[], confirm jsonb, missing_items text[],
    age interval,
    submission_id uuid, digest bytea, kept text[], submitted_at timestamptz
)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select form.* from share.opened_form(asked, by_client, {agreement}) as form
    where under_agreement = {agreement};
end
$$;
comment on function {schema}.opened_form is 'a form that a client of the agreement''s had filled under it';

revoke execute on function {schema}.opened_form from public;
grant execute on function {schema}.opened_form to {role};
