create or replace view share.request_state as
select
    r.request_id, r.kind, r.party, r.person_key, r.agreement, r.consent_id, r.case_id,
    r.received_at, r.answer_by,
    coalesce(s.extended_to, r.due_on) as due_on, s.extended_to is not null as extended,
    case
        when s.answered_at is null then least(r.answer_by, r.due_on)
        else coalesce(s.extended_to, r.due_on)
    end as next_due,
    s.answered_at, s.closed_at, s.closed_as
from share.request r
left join lateral (
    select
        max(due_on) as extended_to,
        min(at) as answered_at,
        min(at) filter (where step in ('done', 'refused')) as closed_at,
        min(step) filter (where step in ('done', 'refused')) as closed_as
    from share.request_step s
    where s.request_id = r.request_id
) s on true;
comment on view share.request_state is
    'the state of each request; any step answers it; next_due: the answer''s due day until there is an answer';

create or replace function share.refuse_late_step() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    perform from share.request r where r.request_id = new.request_id for update;
    if exists (
        select from share.request_step s
        where s.request_id = new.request_id and s.step in ('done', 'refused')
    ) then
        raise exception 'request % is closed', new.request_id;
    end if;
    return new;
end
$$;

create or replace trigger request_step_in_time before insert on share.request_step
    for each row execute function share.refuse_late_step();

create or replace function share.follow_case() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    insert into share.request_step (request_id, step, reason, noted_by)
    select
        r.request_id,
        case new.closed_because when 'decided' then 'refused' when 'corrected' then 'done'
            else 'answered' end,
        case when new.closed_because = 'decided' then d.reason end,
        case when new.closed_because = 'corrected' then 'oncehub' else d.decided_by end
    from share.request_state r
    left join lateral (
        select d.reason, d.decided_by from truth.decision d
        where d.case_id = new.case_id and d.takes_effect
        order by d.decision_id desc
        limit 1
    ) d on true
    where r.case_id = new.case_id and r.closed_at is null
    on conflict do nothing;
    return null;
end
$$;

create or replace trigger case_is_followed after update of approved_by, closed_at on truth.case_file
    for each row when (
        new.kind = 'correction_request'
        and (old.approved_by, old.closed_at) is distinct from (new.approved_by, new.closed_at)
    ) execute function share.follow_case();
