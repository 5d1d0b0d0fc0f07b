-- What citizens ask for by right of law, and by when it is due.
create table share.request (
    request_id  uuid primary key,
    kind        text not null check (kind in
        ('withdrawal', 'restriction', 'objection', 'view', 'correction', 'provision', 'erasure')),
    party       text not null check (party in ('controller', 'processor')),
    person_key  uuid not null,
    agreement   text,
    consent_id  uuid,
    case_id     bigint,
    received_at timestamptz not null,
    answer_by   date not null,
    due_on      date not null,
    opened_at   timestamptz not null default now()
);
comment on table share.request is
    'citizens'' requests under Nghị định 356/2025/NĐ-CP; insert only, kept for good: they prove what was answered by when';
comment on column share.request.party is 'who carries it out: a processor or third party may take longer';
comment on column share.request.answer_by is 'Vietnamese day by whose end the citizen is told what becomes of it';
comment on column share.request.due_on is 'Vietnamese day by whose end it is carried out, unless it was extended';
create index request_due on share.request (due_on);

create table share.request_step (
    request_id uuid not null references share.request,
    step       text not null check (step in ('answered', 'extended', 'done', 'refused')),
    due_on     date,
    reason     text check (length(reason) between 1 and 2000),
    noted_by   text not null check (length(noted_by) between 1 and 200),
    at         timestamptz not null default now(),
    primary key (request_id, step),
    check ((step = 'extended') = (due_on is not null)),
    check (step not in ('extended', 'refused') or reason is not null)
);
comment on table share.request_step is
    'what was done of a request, each at most once, so that it is extended once; insert only';

create view share.request_state as
select
    r.request_id, r.kind, r.party, r.person_key, r.agreement, r.consent_id, r.case_id, r.received_at, r.answer_by,
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
    'each request as it stands; whatever was told of it answers it; next_due: of the answer while there is none';

create function share.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception '%.% is insert only', tg_table_schema, tg_table_name;
end
$$;
create trigger request_insert_only before update or delete or truncate on share.request
    for each statement execute function share.refuse_change();
create trigger request_step_insert_only before update or delete or truncate on share.request_step
    for each statement execute function share.refuse_change();

create function share.refuse_late_step() returns trigger
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
create trigger request_step_in_time before insert on share.request_step
    for each row execute function share.refuse_late_step();

grant insert (request_id, kind, party, person_key, agreement, consent_id, case_id, received_at, answer_by, due_on)
    on share.request to oncehub_api;
