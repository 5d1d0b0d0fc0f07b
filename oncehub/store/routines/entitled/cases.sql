create or replace function entitled.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language plpgsql stable security definer rows 1 set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select content.*
    from share.asked as a
    join share.entitlement as e using (agreement)
    cross join lateral share.case_under(e, a.case_id) as content
    where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'case' and a.case_id = asked_case
        and content.named <@ a.people
    limit 1;
end
$$;
comment on function entitled.case_content is
    'the case that was asked for, with what its record states of what the agreement covers';

create or replace function entitled.case_people(asked_case bigint)
    returns table (person_key uuid, believed jsonb, provenance jsonb)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select each, seen.given, seen.provenance
    from share.asked as a
    join share.entitlement as e using (agreement)
    cross join lateral share.case_under(e, a.case_id) as content
    cross join lateral unnest(content.named) as each
    cross join lateral share.look_at(e, each, e.columns) as seen
    where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'case' and a.case_id = asked_case
        and each = any(a.people) and seen.covered and a.step = 1;
end
$$;
comment on function entitled.case_people is 'whom such a case names, as far as the agreement has them';

-- Functions without arguments are called once for a statement, as `any((select ...))`.
create or replace function entitled.case_kinds() returns text[]
    language sql stable security definer set search_path = pg_catalog, pg_temp
    return (share.open_as('case')).kinds;
comment on function entitled.case_kinds is 'kinds of cases that the agreement has';

create or replace function entitled.case_sources() returns text[]
    language sql stable security definer set search_path = pg_catalog, pg_temp
    return (share.open_as('case')).sources;
comment on function entitled.case_sources is 'the sources that these cases are about, null: all';

create or replace function entitled.open_case() returns bigint
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.case_id
    from share.asked as a
    join share.entitlement as e using (agreement)
    where a.opened_in = pg_current_xact_id_if_assigned() and a.action = 'case'
        and exists (select from share.case_under(e, a.case_id))
    limit 1
$$;
comment on function entitled.open_case is 'the case that was asked for, if the agreement has it';

create or replace view entitled.case_state with (security_barrier) as
select * from truth.case_state
where kind = any((select entitled.case_kinds())::text[])
    and ((select entitled.case_sources()) is null or source = any((select entitled.case_sources())::text[]));
comment on view entitled.case_state is 'the agreement''s cases, without what they are about';

create or replace view entitled.decision with (security_barrier) as
select decision_id, case_id, verdict, person_key, reason, decided_by, decided_at, takes_effect, follows
from truth.decision
where case_id = (select entitled.open_case())
with check option;
comment on view entitled.decision is
    'what clerks have decided, and decide, on the case that was asked for';
grant select on entitled.case_state, entitled.decision to oncehub_api;

revoke execute on all functions in schema entitled from public;
grant execute on all functions in schema entitled to oncehub_api;
