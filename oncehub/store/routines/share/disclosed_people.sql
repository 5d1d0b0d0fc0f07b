create or replace view share.disclosed_person as
select f.feed, d.sequence, d.person_key, null::text as attribute
from share.feed f join share.feed_entry d using (feed)
union all
select 'corrections.' || n.source, n.sequence, n.person_key, n.attribute
from share.correction_feed c join share.notice n using (source)
where n.person_key is not null
union all
select feed, sequence, person_key, attribute
from share.past_disclosure;
comment on view share.disclosed_person is
    'the person in each line of each feed, also in removed lines; of a notice also the attribute';

create or replace function share.keep_disclosures() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_table_name = 'feed_entry' then
        insert into share.past_disclosure (feed, sequence, person_key)
        select g.feed, g.sequence, g.person_key
        from gone g
        where exists (
            select from audit.entry e
            where e.first_sequence is not null
                and int8range(e.first_sequence, e.last_sequence, '[]') @> g.sequence and e.feed = g.feed
        )
        on conflict do nothing;
    else
        insert into share.past_disclosure (feed, sequence, person_key, attribute)
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

create or replace trigger feed_entry_leaves_disclosure after delete on share.feed_entry
    referencing old table as gone for each statement execute function share.keep_disclosures();

create or replace trigger notice_leaves_disclosure after delete on share.notice
    referencing old table as gone for each statement execute function share.keep_disclosures();
