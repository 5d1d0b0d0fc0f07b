create or replace view truth.case_state as
select
    c.case_id, c.kind, c.source, c.stream, c.opened_at, c.closed_at, c.closed_because,
    coalesce(r.four_eyes, false) as four_eyes, d.decision_id, c.approved_by
from truth.case_file c
left join truth.case_rule r using (kind)
left join lateral (
    select decision_id from truth.decision d where d.case_id = c.case_id order by decision_id desc limit 1
) d on true;
comment on view truth.case_state is
    'cases without their content; decision_id: the last decision on a case, which the next must follow';

create or replace function truth.named_in_case(evidence jsonb, person_key uuid) returns uuid[]
    language sql stable
    return coalesce(
        (
            select array_agg(distinct truth.survivor((each ->> 'person_key')::uuid))
            from jsonb_array_elements(evidence -> 'candidates') each
        ),
        array_remove(array[truth.survivor(person_key)], null)
    );
comment on function truth.named_in_case is
    'the people that a case names; a merged person is named by the survivor';

-- The evidence of a request that was closed long ago is purged, and with it what the citizen wrote.
create or replace function truth.case_content(asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language sql stable security definer set search_path = ''
begin atomic
    select
        c.source_key,
        case
            when c.kind <> 'correction_request' then (
                select to_jsonb(r) from record.person r
                where (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key)
                    and r.deleted_at is null
            )
            when c.evidence ? 'attribute' then jsonb_build_object(
                c.evidence ->> 'attribute', c.evidence -> 'claimed', 'stated_at', c.opened_at
            )
        end,
        c.evidence,
        truth.named_in_case(c.evidence, c.person_key)
    from truth.case_file c
    where c.case_id = asked_case;
end;
comment on function truth.case_content is
    'the record that a case is about, for roles that may decide the case and may not read other records';
revoke execute on function truth.case_content from public;
