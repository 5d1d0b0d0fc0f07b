create function {schema}.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language plpgsql stable security definer rows 1 set search_path = '' as $$
begin
    return query
    select
        content.source_key,
        (
            select jsonb_object_agg(key, value)
            from jsonb_each(content.stated)
            where key = 'stated_at' or key = any({names})
        ),
        content.evidence, content.named
    from truth.case_file, truth.case_content(case_file.case_id) as content
    where case_file.case_id = asked_case and case_file.kind = any({kinds})
        and ({sources} is null or case_file.source = any({sources}))
        and (case_file.kind <> 'correction_request' or case_file.evidence ->> 'attribute' = any({names}));
end
$$;
comment on function {schema}.case_content is
    'a case that the agreement has, with what its record states of what it covers';

create function {schema}.case_people(asked_case bigint) returns setof {schema}.person
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select person.*
    from {schema}.case_content(asked_case) as content join {schema}.person on person_key = any(content.named);
end
$$;
comment on function {schema}.case_people is 'whom such a case names, as far as the agreement has them';

create view {schema}.case_state with (security_barrier) as
select * from truth.case_state
where kind = any({kinds}) and ({sources} is null or source = any({sources}));
comment on view {schema}.case_state is 'the agreement''s cases, without what they are about';

create view {schema}.decision with (security_barrier) as
select decision_id, case_id, verdict, person_key, reason, decided_by, decided_at, takes_effect, follows
from truth.decision
where case_id in (
    select case_file.case_id from truth.case_file
    where case_file.kind = any({kinds}) and ({sources} is null or case_file.source = any({sources}))
        and (case_file.kind <> 'correction_request' or case_file.evidence ->> 'attribute' = any({names}))
)
with check option;
comment on view {schema}.decision is
    'what clerks have decided, and decide, on the cases that the agreement has';

revoke execute on function {schema}.case_content, {schema}.case_people from public;
grant execute on function {schema}.case_content, {schema}.case_people to {role};
grant select on {schema}.case_state, {schema}.decision to {role};
grant insert (case_id, verdict, person_key, reason, decided_by, follows) on {schema}.decision to {role};
