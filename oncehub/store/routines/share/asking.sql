-- Ask, then tell. A request carries a code by a key that the API's process holds and no SQL can read. Asking
-- verifies it, decides what may be told, and writes that to the log; once this is committed, telling returns
-- it. Nothing here raises an error for a request that is not proven: its line would be lost.
-- What only these functions call has no search path of its own: to set one takes as long as to read a row.
create or replace function share.mac(blocks bytea, message bytea) returns bytea
    language sql immutable strict parallel safe
    return sha256(substr(blocks, 65) || sha256(substr(blocks, 1, 64) || message));
comment on function share.mac is 'HMAC-SHA256 (RFC 2104) by the padded blocks of a key: inner, then outer';

create or replace function share.pseudonym(blocks bytea, person uuid) returns text
    language sql immutable strict parallel safe
    return encode(share.mac(blocks, '\x61756469741f'::bytea || uuid_send(person)), 'hex');
comment on function share.pseudonym is 'the pseudonym that the access log holds; the API passes the key, which is not kept';

create or replace function share.proves(kind text, message text, code bytea) returns boolean
    language plpgsql stable strict as $$
begin
    return exists (
        select from share.request_key as known
        where (known.valid_until is null or now() < known.valid_until)
            and share.mac(known.blocks, convert_to(kind || e'\n' || message, 'UTF8')) = code
    );
end
$$;
comment on function share.proves is 'whether a message bears the code of a request key, of this kind of message';
revoke execute on function share.proves from public;

create or replace function share.note_unproven(about text, of_request uuid) returns text
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into audit.entry
        (action, attributes, outcome, claimed_client, status, refusals, first_at, last_at, request_id)
    values (
        'refusals', '{}', 'refused', '(' || about || ')', 401, 1, clock_timestamp(), clock_timestamp(),
        coalesce(of_request, gen_random_uuid())
    )
    returning about
$$;
comment on function share.note_unproven is 'writes the line of a request that was forged, is late or was made before';
revoke execute on function share.note_unproven from public;

-- Its plan is made when the table is empty; read whole, it would be hundreds of thousands of rows each time.
create or replace function share.forget_asked() returns void
    language sql volatile set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off as $$
    delete from share.asked
    where ctid = any(array(
        select old.ctid
        from share.asked as old
        where old.at < extract(epoch from clock_timestamp())::bigint * 1000000 - 300000000
        order by old.at
        limit 300
        for update skip locked
    ))
$$;
comment on function share.forget_asked is 'removes some of the requests that are too old to matter, by the index';
revoke execute on function share.forget_asked from public;

-- Adds the row by which a request is good once, and now and then removes those that are too old to matter.
create or replace function share.take_once(a share.asked) returns boolean
    language plpgsql volatile as $$
begin
    insert into share.asked select a.* on conflict do nothing;
    if not found then
        return false;
    end if;
    if get_byte(uuid_send(a.request_id), 15) < 4 then
        perform share.forget_asked();
    end if;
    return true;
end
$$;
revoke execute on function share.take_once from public;

create or replace function share.is_late(moment bigint) returns boolean
    language sql volatile
    return abs(extract(epoch from clock_timestamp()) * 1000000 - moment) > 60000000;
comment on function share.is_late is 'whether a moment, in microseconds since 1970, is not within a minute of now';

create or replace function share.ask(message text, code bytea, pseudonyms bytea) returns text
    language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    q share.question;
    e share.entitlement;
    a share.asked;
    seen record;
    admitted boolean;
    known_person boolean;
begin
    -- Whatever the session says: what is told rests on a line that a crash does not lose.
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    if share.proves('oncehub request', message, code) is not true then
        return share.note_unproven('forged', null);
    end if;
    q := jsonb_populate_record(null::share.question, message::jsonb);
    if q.pseudonyms is distinct from encode(sha256(pseudonyms), 'hex') then
        return share.note_unproven('forged', q.request_id);
    end if;
    if share.is_late(q.at) is not false then
        return share.note_unproven('late', q.request_id);
    end if;
    select known.* into e
    from share.entitlement as known
    where known.agreement = q.agreement
        and (now() at time zone 'Asia/Ho_Chi_Minh')::date between known.since and known.until
        and coalesce(q.schemes, '{}') <@ known.schemes
        and (q.action <> 'lookup' or cardinality(q.attributes) > 0 and q.attributes <@ known.attributes);
    a := row(
        q.at, q.request_id, q.step, pg_current_xact_id(), code, e.agreement, q.client, q.action,
        'open', null, '{}', array(select substr(name, 8) from unnest(q.attributes) as name), null, null, null,
        null, q.case_id, null, null, null
    );
    if q.schemes is not null then
        a.person := share.find_person_key(q.schemes, q.stated);
        a.outcome := null;
    end if;
    if e.agreement is null then
        return share.note_unproven('not entitled', q.request_id);
    end if;
    select
        exists (
            select from share.client as client
            where client.client_id = q.client and client.agreement = q.agreement
                and client.revoked_at is null and (
                    q.key is null or exists (
                        select from share.client_key as key
                        where key.client_id = client.client_id and key.thumbprint = q.key
                            and key.leaked_at is null and key.valid_from <= now() and now() < key.valid_until
                    )
                )
        ),
        a.person is not null
        and exists (select from truth.person as person where person.person_key = a.person)
    into admitted, known_person;
    if e.by_consent then
        -- A withdrawal waits for this, or this sees it.
        perform share.lock_consents(e.agreement);
    end if;
    if q.schemes is not null and a.person is not null and q.relations is null and q.household is null
        and not e.by_consent and e.population is null then
        -- Most look-ups; what follows decides the same.
        a.outcome := case when known_person then 'found' else 'nobody' end;
        a.people := case when a.outcome = 'found' then array[a.person] end;
    elsif q.schemes is not null then
        select * into seen
        from share.look_at(
            e, coalesce(a.person, '00000000-0000-0000-0000-000000000000'),
            case when q.relations is null and q.household is null then '{}' else a.columns end
        );
        a.outcome := case
            when a.person is null then 'nobody'
            when e.by_consent and not case
                when q.partly then cardinality(seen.consented) > 0 else seen.consented @> q.attributes
            end then 'consent'
            when not seen.covered then case when e.population is null then 'nobody' else 'population' end
            else 'found'
        end;
        a.people := case when a.outcome = 'found' then array[a.person] end;
    end if;
    if a.outcome = 'found' and q.relations is not null then
        a.relatives := share.relatives_under(e, q.relations, seen.given, seen.provenance, seen.disputed);
        a.people := a.people
            || array(select (each.value ->> 'person')::uuid from jsonb_each(a.relatives) as each);
    end if;
    if a.outcome = 'found' and q.household is not null and 'household_members' = any(e.relations) then
        if share.stands('household_head', seen.provenance, seen.disputed) then
            select coalesce(household.why, 'known'), household.members into a.household, a.members
            from share.household_under(
                e, a.person, seen.given -> 'household_head' ->> 'personal_id'
            ) as household;
            a.people := a.people || a.members;
            a.of_members := array(select substr(name, 8) from unnest(q.household) as name);
        end if;
    end if;
    if q.case_id is not null then
        a.people := coalesce(a.people, '{}') || coalesce(
            (select content.named from share.case_under(e, q.case_id) as content), '{}'
        );
    end if;
    if q.lines is not null then
        select page.first, page.last into a.first, a.last
        from share.page_under(e, q.feed, q.after, q.lines) as page;
    end if;
    if not admitted then
        -- A look-up names the client's key: where it ended, the API answers as to any that was not admitted.
        return case when q.key is null then share.note_unproven('not entitled', q.request_id) else 'not admitted' end;
    end if;
    if not share.take_once(a) then
        return share.note_unproven('repeated', q.request_id);
    end if;
    if q.action <> 'lookup' and a.outcome not in ('found', 'open') then
        -- Nothing is told; the line of the outcome follows.
        return a.outcome;
    end if;
    if q.action = 'lookup' then
        insert into audit.entry (
            client_id, agency, agreement, purpose, legal_basis, action, person, attributes, outcome,
            request_id, officer, withheld, involvement, hidden_by, vouched_by
        )
        values (
            q.client, e.agency, e.agreement, e.purpose, coalesce(q.legal_basis, e.legal_basis), q.action,
            share.pseudonym(pseudonyms, a.person), q.attributes,
            case a.outcome when 'found' then 'answered' when 'nobody' then 'not_found' else 'refused' end,
            q.request_id, q.officer, case when a.outcome in ('consent', 'population') then a.outcome end,
            case when a.person is not null then 'consulted' end, q.hidden_by, q.vouched_by
        );
        return a.outcome;
    end if;
    insert into audit.entry (
        client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes, outcome,
        request_id, officer, case_id, involvement, feed, first_sequence, last_sequence, hidden_by, vouched_by
    )
    select
        q.client, e.agency, e.agreement, e.purpose, coalesce(q.legal_basis, e.legal_basis), q.action,
        q.procedure, share.pseudonym(pseudonyms, each.person), coalesce(each.attributes, '{}'),
        'opened', q.request_id, q.officer, q.case_id,
        case
            when each.person is null then null
            when each.person = a.person then 'consulted'
            else 'appeared'
        end,
        q.feed, a.first, a.last, q.hidden_by, q.vouched_by
    from share.people_asked(a, q) as each;
    return a.outcome;
end
$$;
comment on function share.ask is
    'verifies a request, decides what may be told, and writes it to the access log, which must be committed before share.tell or share.open; returns the outcome and nothing else';
revoke execute on function share.ask from public;
grant execute on function share.ask to oncehub_api;

create or replace function share.people_asked(a share.asked, q share.question)
    returns table (person uuid, attributes text[])
    language sql stable as $$
    select a.person, q.attributes where a.person is not null or a.people = '{}'
    union all
    select (relative.value ->> 'person')::uuid, array(
        select 'person.' || name from jsonb_array_elements_text(relative.value -> 'columns') as name
    )
    from jsonb_each(a.relatives) as relative
    union all
    select member, q.household from unnest(a.members) as member
    union all
    select named, q.attributes from unnest(a.people) as named where q.case_id is not null
        and named is distinct from a.person
    union all
    select null, q.attributes where a.person is null and a.people is null
$$;
comment on function share.people_asked is 'whom the lines of a request name, with the attributes that may be told of each; one row without a person where there is none';
revoke execute on function share.people_asked from public;

create or replace function share.page_under(
    e share.entitlement, sequence_of text, after bigint, lines bigint, out first bigint, out last bigint
)
    language sql stable as $$
    select min(line.sequence), max(line.sequence)
    from (
        select entry.sequence from share.feed_entry as entry
        where entry.feed = e.feed and entry.feed = sequence_of and entry.sequence > after
        union all
        select notice.sequence from share.notice as notice
        where notice.source = e.source and 'corrections.' || notice.source = sequence_of
            and notice.sequence > after and notice.attribute = any(e.noticed)
        order by 1
        limit lines
    ) as line
$$;
comment on function share.page_under is 'the first and the last line of a page of a feed, or of notices, that an agreement entitles to';
revoke execute on function share.page_under from public;

create or replace function share.case_under(e share.entitlement, asked_case bigint)
    returns table (source_key text, stated jsonb, evidence jsonb, named uuid[])
    language sql stable as $$
    select
        content.source_key,
        (
            select jsonb_object_agg(each.key, each.value)
            from jsonb_each(content.stated) as each
            where each.key = 'stated_at' or each.key = any(e.columns)
        ),
        content.evidence, content.named
    from truth.case_file as case_file
    cross join lateral truth.case_content(case_file.case_id) as content
    where case_file.case_id = asked_case and case_file.kind = any(e.kinds)
        and (e.sources is null or case_file.source = any(e.sources))
        and (case_file.kind <> 'correction_request' or case_file.evidence ->> 'attribute' = any(e.columns))
$$;
comment on function share.case_under is 'a case that an agreement has, with what its record states of what it covers';
revoke execute on function share.case_under from public;

create or replace function share.relatives_under(
    e share.entitlement, relations jsonb, given jsonb, provenance jsonb, disputed text[]
) returns jsonb
    language plpgsql stable as $$
declare
    relation text;
    attributes text[];
    number text;
    key uuid;
    seen record;
    found jsonb := '{}';
begin
    for relation, attributes in
        select each.key, array(select jsonb_array_elements_text(each.value)) from jsonb_each(relations) as each
    loop
        number := case when relation = any(e.relations) and share.stands(relation, provenance, disputed)
            then given -> relation ->> 'personal_id'
        end;
        continue when number is null;
        select led.person_key into key
        from truth.leading_number as led where led.personal_id = text.identifying('personal_id', number);
        continue when key is null;
        select * into seen from share.look_at(e, key, '{}');
        if seen.covered and (not e.by_consent or seen.consented @> attributes) then
            found := found || jsonb_build_object(
                relation,
                jsonb_build_object(
                    'person', key, 'columns', array(select substr(name, 8) from unnest(attributes) as name)
                )
            );
        end if;
    end loop;
    return found;
end
$$;
comment on function share.relatives_under is
    'the relatives that golden values of a person name by number, by relation, as far as the agreement has them';
revoke execute on function share.relatives_under from public;

create or replace function share.tell(
    asked_at bigint, asked_request uuid, by_code bytea,
    out outcome text, out key uuid, out consented text[], out given jsonb, out provenance jsonb,
    out disputed text[]
)
    language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    a share.asked;
    e share.entitlement;
    covered boolean;
begin
    select * into a from share.asked as known
    where (known.at, known.request_id, known.step) = (asked_at, asked_request, 1) and known.code = by_code
        and known.action = 'lookup' and known.asked_in is distinct from pg_current_xact_id_if_assigned();
    if share.is_late(a.at) then
        return;
    end if;
    outcome := a.outcome;
    if outcome is distinct from 'found' then
        return;
    end if;
    select * into e from share.entitlement as known where known.agreement = a.agreement;
    -- Between asking and telling the agreement may have been ended, or narrowed.
    if e.agreement is null or not a.columns <@ e.columns then
        outcome := null;
        return;
    end if;
    key := a.person;
    if e.by_consent then
        perform share.lock_consents(e.agreement);
    end if;
    select seen.consented, seen.covered, seen.given, seen.provenance, seen.disputed
    into consented, covered, given, provenance, disputed
    from share.look_at(e, a.person, a.columns) as seen;
    if covered is not true or e.by_consent and not consented @> array(select 'person.' || name from unnest(a.columns) as name) then
        outcome := case when covered then 'consent' else 'population' end;
        given := null;
        provenance := null;
        disputed := null;
    end if;
end
$$;
comment on function share.tell is
    'gives what share.ask decided in another transaction, a minute ago at most; outcome null: nothing was asked so';
revoke execute on function share.tell from public;
grant execute on function share.tell to oncehub_api;

-- Asks, commits, and is told, in one message. With the rights of the caller, as only such may commit.
create or replace procedure share.look_up(
    message text, code bytea, pseudonyms bytea, asked_at bigint, asked_request uuid,
    out outcome text, out given jsonb, out provenance jsonb, out disputed text[]
)
    language plpgsql as $$
declare
    waited text;
begin
    -- A change of schema is before it or after it; see store/schema_change.py.
    waited := hub.begin_reading();
    outcome := share.ask(message, code, pseudonyms);
    commit;
    if outcome = 'found' then
        waited := hub.begin_reading();
        select told.outcome, told.given, told.provenance, told.disputed
        into outcome, given, provenance, disputed
        from share.tell(asked_at, asked_request, code) as told;
    end if;
end
$$;
comment on procedure share.look_up is
    'share.ask, a commit, and where somebody is found share.tell; outcome null: nothing is told';
revoke execute on procedure share.look_up from public;
grant execute on procedure share.look_up to oncehub_api;

create or replace function share.open(
    asked_at bigint, asked_request uuid, asked_step integer, by_code bytea, items jsonb
)
returns table (
    part text, outcome text, key uuid, consented text[], given jsonb, provenance jsonb, disputed text[]
)
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    a share.asked;
    e share.entitlement;
begin
    select * into a from share.asked as known
    where (known.at, known.request_id, known.step) = (asked_at, asked_request, asked_step)
        and known.code = by_code
        and known.asked_in is distinct from pg_current_xact_id_if_assigned() and known.opened_in is null
    for update;
    if a.outcome is null or share.is_late(a.at) then
        return;
    end if;
    select * into e from share.entitlement as known where known.agreement = a.agreement;
    if e.by_consent then
        perform share.lock_consents(e.agreement);
    end if;
    update share.asked as known set opened_in = pg_current_xact_id()
    where known.at between asked_at - 60000000 and asked_at and known.request_id = asked_request
        and known.step between 1 and asked_step and known.outcome in ('found', 'open');
    return query
    with told as materialized (
        select
            each.part, a.outcome, each.person, seen.consented, seen.given, seen.provenance, seen.disputed
        from (
            select 'person' as part, a.person as person, a.columns as columns
            union all
            select relative.key, (relative.value ->> 'person')::uuid, array(
                select jsonb_array_elements_text(relative.value -> 'columns')
            )
            from jsonb_each(a.relatives) as relative
            union all
            select 'household_members', member, a.of_members from unnest(a.members) as member
        ) as each
        left join lateral share.look_at(e, each.person, each.columns) as seen on a.outcome = 'found'
    )
    select * from told
    union all
    select 'household', a.household, null, null, null, null, null where a.household is not null
    union all
    select
        'form', case when share.is_living(person.given ->> 'life_status') then 'living' end, null, null,
        jsonb_build_object('most_members', share.most_members(), 'statuses', (select jsonb_agg(case
            when item.of = 'household_members' then case
                when a.household = 'known' then (
                    select min(share.value_status(
                        true, part.given ->> name is not null, name, part.provenance, part.disputed, item.max_age
                    ))
                    from told as part
                    cross join lateral unnest('{household_head}' || case
                        when part.part = 'household_members' then item.attributes
                    end) as name
                    where part.part in ('person', 'household_members')
                )
                when a.household in ('too_many', 'not_allowed') then a.household::share.item_status
                else share.unfound_status(
                    person.given ->> 'household_head' is not null, 'household_head', person.provenance,
                    person.disputed
                )
            end
            when item.of is null then share.value_status(
                not e.by_consent or 'person.' || item.attributes[1] = any(person.consented),
                person.given ->> item.attributes[1] is not null, item.attributes[1], person.provenance,
                person.disputed, item.max_age
            )
            when relative.part is null then share.unfound_status(
                person.given ->> item.of is not null, item.of, person.provenance, person.disputed
            )
            else share.relative_status(
                item.even_if_deceased, relative.given ->> 'life_status',
                share.value_status(
                    true, relative.given ->> item.attributes[1] is not null, item.attributes[1],
                    relative.provenance, relative.disputed, item.max_age
                )
            )
        end order by item.place)
        from jsonb_to_recordset(items) as item (
            place integer, of text, attributes text[], even_if_deceased boolean, max_age interval
        )
        left join told as relative on relative.part = item.of and item.of <> 'household_members')),
        null, null
    from told as person
    where person.part = 'person' and a.outcome = 'found' and items is not null;
end
$$;
comment on function share.open is
    'opens a request that share.ask decided in another transaction: what stands in the schema entitled then answers to this transaction, about the people in it; gives what is known of them, and how that answers the items of a form; no row: nothing was asked so';
revoke execute on function share.open from public;
grant execute on function share.open to oncehub_api;

-- Under which agreement a request is open in this transaction, of an action, or about a person.
create or replace function share.open_for(about uuid) returns share.entitlement
    language sql stable as $$
    select e.*
    from share.asked as a join share.entitlement as e using (agreement)
    where a.opened_in = pg_current_xact_id_if_assigned() and about = any(a.people)
    limit 1
$$;
revoke execute on function share.open_for from public;

create or replace function share.open_as(of_action text) returns share.entitlement
    language sql stable as $$
    select e.*
    from share.asked as a join share.entitlement as e using (agreement)
    where a.opened_in = pg_current_xact_id_if_assigned() and a.action = of_action
    limit 1
$$;
revoke execute on function share.open_as from public;

create or replace function share.log(message text, code bytea) returns text
    language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    a share.asked;
begin
    -- Whatever the session says: what is told rests on a line that a crash does not lose.
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    if share.proves('oncehub lines', message, code) is not true then
        return share.note_unproven('forged', null);
    end if;
    a.at := message::jsonb ->> 'at';
    a.request_id := message::jsonb ->> 'request_id';
    a.step := 0;
    a.asked_in := pg_current_xact_id();
    a.code := code;
    if share.is_late(a.at) is not false then
        return share.note_unproven('late', a.request_id);
    end if;
    if not share.take_once(a) then
        return share.note_unproven('repeated', a.request_id);
    end if;
    insert into audit.entry (
        client_id, agency, agreement, purpose, legal_basis, action, procedure, person, attributes, refused,
        outcome, request_id, officer, case_id, decision_id, involvement, hidden_by, feed, first_sequence,
        last_sequence, given, withheld, vouched_by
    )
    select
        line.client_id, line.agency, line.agreement, line.purpose, line.legal_basis, line.action,
        line.procedure, line.person, line.attributes, line.refused, line.outcome, line.request_id,
        line.officer, line.case_id, line.decision_id, line.involvement, line.hidden_by, line.feed,
        line.first_sequence, line.last_sequence, line.given, line.withheld, line.vouched_by
    from jsonb_populate_recordset(null::audit.entry, message::jsonb -> 'lines') as line;
    return 'written';
end
$$;
comment on function share.log is 'writes what came of a request, which the API proves as it does the request';
revoke execute on function share.log from public;
grant execute on function share.log to oncehub_api;

create or replace function share.count_refusals(
    of_status smallint, of_client text, of_agreement text, claimed text, from_source inet, number bigint,
    since timestamptz, until timestamptz, first_request uuid
) returns void
    language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into audit.entry (
        action, attributes, outcome, client_id, agreement, claimed_client, source, status, refusals,
        first_at, last_at, request_id
    )
    values (
        'refusals', '{}', 'refused', of_client, of_agreement, claimed, from_source, of_status, number, since,
        until, first_request
    )
$$;
comment on function share.count_refusals is 'writes a line for requests that were refused alike before a question was asked';
revoke execute on function share.count_refusals from public;
grant execute on function share.count_refusals to oncehub_api;
