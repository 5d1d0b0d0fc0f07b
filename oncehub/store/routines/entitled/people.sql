-- What stands in this schema answers only in a transaction in which a request is open, see share.open, and
-- about the people in it: to everybody else with nothing. The hub's own routines of the same names are in
-- share, truth and audit, and only the owner may call them.
create or replace function entitled.agreeing_sources(asked_person uuid, asked_attributes text[])
    returns table (attribute text, sources bigint)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    if e.forms then
        return query
        select agreeing.*
        from share.agreeing_sources(asked_person, array(
            select name from unnest(asked_attributes) as name
            where name = any(share.readable_of(e, asked_person))
        )) as agreeing;
    end if;
end
$$;
comment on function entitled.agreeing_sources is
    'how many sources state each golden value of a person that the agreement may see';

create or replace function entitled.disputed_by_owner(asked_person uuid) returns text[]
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    if e.forms is not true then
        return '{}';
    end if;
    return array(
        select name
        from unnest(truth.disputed_by_owner(asked_person)) as name
        where name = any(share.readable_of(e, asked_person))
        order by 1
    );
end
$$;
comment on function entitled.disputed_by_owner is
    'of which of these attributes somebody whom the agreement has says that they are wrong';

create or replace function entitled.reusable_papers(asked_person uuid, wanted jsonb) returns table (
    place integer, dossier text, procedure_code text, component text, result text, file text,
    decided_at timestamptz
)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    if e.forms and e.papers then
        return query
        select paper.*
        from share.reusable_papers(asked_person, wanted) as paper;
    end if;
end
$$;
comment on function entitled.reusable_papers is 'earlier papers of somebody whom the agreement has';

create or replace function entitled.opened_form(asked uuid, by_client text, under_agreement text)
returns table (
    procedure text, person text, form_of date, filled text[], confirm jsonb, missing_items text[],
    age interval,
    submission_id uuid, digest bytea, kept text[], submitted_at timestamptz
)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_as('submission');
begin
    if e.submissions and e.agreement = under_agreement then
        return query
        select form.*
        from share.opened_form(asked, by_client, under_agreement) as form
        where by_client in (
            select a.client_id from share.asked as a where a.opened_in = pg_current_xact_id_if_assigned()
        );
    end if;
end
$$;
comment on function entitled.opened_form is 'a form that a client of the agreement''s had filled under it';

create or replace function entitled.own_keys(asked_person uuid) returns uuid[]
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    return case when e.usage then truth.own_keys(asked_person) end;
end
$$;
comment on function entitled.own_keys is
    'the keys of somebody whom the agreement has, of those joined with them too';

-- The first key is whose lines they are. Whose pseudonyms those are only the hub's key tells, which is not
-- here.
create or replace function entitled.usage_of(
    asked_keys uuid[], asked_pseudonyms text[], asked_from timestamptz, asked_until timestamptz,
    asked_hiding text[], asked_hiding_since timestamptz[], asked_shown text[],
    asked_skip bigint, asked_limit bigint
) returns table (
    total bigint, logtime timestamptz, action text, agency text, client_id text, agreement text, purpose text,
    legal_basis text, procedure text, attributes text[], outcome text, involvement text, log text,
    log_index bigint
)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if asked_keys <@ entitled.own_keys(asked_keys[1]) and (share.open_as('usage')).usage then
        return query
        select usage.*
        from audit.usage_of(
            asked_keys, asked_pseudonyms, asked_from, asked_until, asked_hiding,
            asked_hiding_since, asked_shown,
            asked_skip, asked_limit
        ) as usage;
    end if;
end
$$;
comment on function entitled.usage_of is 'who had the data of somebody whom the agreement has';

create or replace function entitled.requests_of(asked_person uuid) returns table (
    case_id bigint, attribute text, claimed jsonb, received_at timestamptz, due_on date, state text,
    decided_at timestamptz, reason text
)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    e share.entitlement := share.open_for(asked_person);
begin
    if e.view then
        return query select request.* from truth.requests_of(asked_person) as request;
    end if;
end
$$;
comment on function entitled.requests_of is
    'how all requests of somebody whom the agreement has stand, through whichever agreement they were made';

revoke execute on all functions in schema entitled from public;
grant execute on all functions in schema entitled to oncehub_api;
