-- Who looked at a citizen's data, and in which pages they were given out, for the citizen to see.
alter table audit.entry
    add column involvement text check (involvement in ('consulted', 'appeared')),
    add column feed text,
    add column first_sequence bigint,
    add column last_sequence bigint,
    add column given text,
    add column hidden_by text,
    add constraint entry_page check (
        (first_sequence is null) = (last_sequence is null)
        and (first_sequence is null) = (given is null)
        and (first_sequence is null or feed is not null)
    );
comment on column audit.entry.involvement is
    'consulted: it was asked about this person; appeared: about somebody or something else, whose answer named them; lines of before have none';
comment on column audit.entry.feed is 'of a page, what it was of: a feed, or corrections.<source>';
comment on column audit.entry.first_sequence is
    'of a page, the first line that was given out, and last_sequence the last; who appeared in it, share.told tells';
comment on column audit.entry.given is
    'of a page, the Merkle root (RFC 6962) over "<sequence> <pseudonym of the person>" of each of its lines';
comment on column audit.entry.hidden_by is
    'the legal text that kept the line from the person''s view when it was written; see audit.usage_of';
grant insert (involvement, feed, first_sequence, last_sequence, given, hidden_by) on audit.entry to oncehub_api;

-- A person's lines by time. Of refusals and of pages, which name nobody, the index has nothing.
drop index audit.entry_person;
create index entry_person on audit.entry (person, at, entry_id) where person is not null;
create index entry_page on audit.entry using gist (int8range(first_sequence, last_sequence, '[]'))
    where first_sequence is not null;

-- Whom a notice was about stays known when its discrepancy is gone.
alter table share.notice add column person_key uuid;
comment on column share.notice.person_key is
    'whose value it told; null where the record bears somebody else''s number, for of them nothing is told';
update share.notice n
set person_key = d.person_key
from truth.discrepancy d
where d.discrepancy_id = n.discrepancy_id and n.line ->> 'kind' <> 'wrong_person';
create index notice_person on share.notice (source, person_key, sequence) where person_key is not null;

-- What is taken out of a feed leaves behind who was in it, if anybody had been given that line.
create table share.appearance (
    feed       text not null,
    sequence   bigint not null,
    person_key uuid not null,
    attribute  text,
    primary key (feed, sequence)
);
comment on table share.appearance is
    'who stood in lines that were given out and are kept no more, without what was said of them';
create index appearance_person on share.appearance (person_key);

create function share.keep_appearances() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_table_name = 'delivery' then
        insert into share.appearance (feed, sequence, person_key)
        select g.feed, g.sequence, g.person_key
        from gone g
        where exists (
            select from audit.entry e
            where e.first_sequence is not null
                and int8range(e.first_sequence, e.last_sequence, '[]') @> g.sequence and e.feed = g.feed
        )
        on conflict do nothing;
    else
        insert into share.appearance (feed, sequence, person_key, attribute)
        select 'corrections.' || g.source, g.sequence, g.person_key, g.attribute
        from gone g
        where g.person_key is not null and exists (
            select from audit.entry e
            where e.first_sequence is not null
                and int8range(e.first_sequence, e.last_sequence, '[]') @> g.sequence
                and e.feed = 'corrections.' || g.source
        )
        on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger delivery_leaves_appearance after delete on share.delivery
    referencing old table as gone for each statement execute function share.keep_appearances();
create trigger notice_leaves_appearance after delete on share.notice
    referencing old table as gone for each statement execute function share.keep_appearances();

create view share.told as
select f.feed, d.sequence, d.person_key, null::text as attribute
from share.feed f join share.delivery d using (feed)
union all
select 'corrections.' || n.source, n.sequence, n.person_key, n.attribute
from share.correction_feed c join share.notice n using (source)
where n.person_key is not null
union all
select feed, sequence, person_key, attribute
from share.appearance;
comment on view share.told is 'who stands, or stood, in which line of which feed; of a notice also with which attribute';

create function truth.own_keys(asked_person uuid) returns uuid[]
    language sql stable security definer set search_path = ''
    return array[asked_person] || array(
        select j.person_key from truth.joined j where j.survivor = asked_person order by j.person_key
    );
comment on function truth.own_keys is 'the keys of a person: their own, and of whom clerks have found to be one with them';
revoke execute on function truth.own_keys from public;
grant execute on function truth.own_keys to oncehub_api;

-- One person's lines, the newest first, and how many there are: nothing else of the log can be had through it.
-- Its body is text, not parsed ahead, so that its plan can be asked for.
create function audit.usage_of(
    asked_keys uuid[], asked_pseudonyms text[], asked_from timestamptz, asked_until timestamptz,
    asked_hiding text[], asked_hiding_since timestamptz[], asked_shown text[], asked_skip bigint, asked_limit bigint
) returns table (
    total bigint, logtime timestamptz, action text, agency text, client_id text, agreement text, purpose text,
    legal_basis text, procedure text, attributes text[], outcome text, involvement text
)
    language sql stable security definer set search_path = '' as $$
with hiding as (
    select h.agreement, min(h.since) as since
    from unnest(asked_hiding, asked_hiding_since) h (agreement, since)
    group by h.agreement
),
page as (
    select e.entry_id, array_agg(distinct t.attribute order by t.attribute) filter (where t.attribute is not null) as told
    from share.told t
    join audit.entry e
        on e.first_sequence is not null
        and int8range(e.first_sequence, e.last_sequence, '[]') @> t.sequence and e.feed = t.feed
        -- A notice about an attribute that had left the agreement was passed over, so that nobody appeared by it.
        and (t.attribute is null or t.attribute = any(e.attributes))
    where t.person_key = any(asked_keys)
    group by e.entry_id
),
found as (
    select e.*, e.attributes as released, coalesce(e.involvement, 'consulted') as involved
    from audit.entry e
    where e.person = any(asked_pseudonyms) and e.at >= asked_from and e.at < asked_until
    union all
    select e.*, coalesce(p.told, e.attributes), 'appeared'
    from page p join audit.entry e using (entry_id)
    where e.at >= asked_from and e.at < asked_until
),
visible as (
    select f.*
    from found f
    where (f.hidden_by is null or f.agreement = any(asked_shown))
        and not exists (select from hiding h where h.agreement = f.agreement and f.at >= h.since)
)
select
    (select count(*) from visible), v.at, v.action, v.agency, v.client_id, v.agreement, v.purpose, v.legal_basis,
    v.procedure, v.released, v.outcome, v.involved
from (select) always
left join lateral (
    select * from visible order by at desc, entry_id desc offset asked_skip limit asked_limit
) v on true
order by v.at desc, v.entry_id desc
$$;
comment on function audit.usage_of is
    'what a citizen sees of the log; asked_hiding: agreements whose lines since a moment law keeps from them now; asked_shown: those under which nothing is hidden any more';
revoke execute on function audit.usage_of from public;
grant execute on function audit.usage_of to oncehub_api;
