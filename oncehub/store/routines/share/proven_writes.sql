-- The API's login may insert into no table. What a request writes is proven as the request is, and written in
-- the transaction in which that is open, under the same agreement; or before it, where the client signs in.
create or replace function share.write(message text, code bytea) returns jsonb
    language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    of_request uuid;
    into_table text;
    given jsonb;
    a share.asked;
    e share.entitlement;
    people uuid[];
    number bigint;
    found_id bigint;
    result jsonb;
begin
    if share.proves('oncehub rows', message, code) is not true then
        perform share.note_unproven('forged', null);
        return null;
    end if;
    of_request := message::jsonb ->> 'request_id';
    into_table := message::jsonb ->> 'into';
    given := message::jsonb -> 'rows';
    if share.is_late((message::jsonb ->> 'at')::bigint) is not false then
        perform share.note_unproven('late', of_request);
        return null;
    end if;
    -- A client that signs in, and evidence of who acts, come before what is asked. Once more, these change
    -- nothing.
    if into_table = 'share.assertion' then
        delete from share.assertion as old
        where old.expires_at < now() and old.client_id in (
            select row.client_id from jsonb_populate_recordset(null::share.assertion, given) as row
        );
        insert into share.assertion
        select * from jsonb_populate_recordset(null::share.assertion, given)
        on conflict do nothing;
        get diagnostics number = row_count;
        return jsonb_build_object('written', number);
    elsif into_table = 'share.used_evidence' then
        select count(*) filter (where share.use_evidence(row.digest, row.kept_until)) into number
        from jsonb_populate_recordset(null::share.used_evidence, given) as row;
        return jsonb_build_object('written', number);
    elsif into_table = 'share.token_key' then
        insert into share.token_key (fingerprint)
        select row.fingerprint from jsonb_populate_recordset(null::share.token_key, given) as row
        where row.fingerprint is distinct from (
            select last.fingerprint from share.token_key as last order by last.change_id desc limit 1
        );
        get diagnostics number = row_count;
        return jsonb_build_object('written', number);
    end if;
    select opened.* into a
    from share.asked as opened
    where opened.opened_in = pg_current_xact_id_if_assigned() and opened.request_id = of_request
    order by opened.step
    limit 1;
    if a.request_id is null then
        perform share.note_unproven('not entitled', of_request);
        return null;
    end if;
    select known.* into e from share.entitlement as known where known.agreement = a.agreement;
    people := entitled.people();
    if into_table = 'share.prefill' and a.action = 'prefill' and e.submissions then
        insert into share.prefill (
            request_id, client_id, agreement, procedure, person, form_of, filled, confirm, missing_items
        )
        select
            a.request_id, a.client_id, a.agreement, row.procedure, row.person, row.form_of, row.filled,
            row.confirm, row.missing_items
        from jsonb_populate_recordset(null::share.prefill, given) as row;
    elsif into_table = 'share.submission' and a.action = 'submission' and e.submissions then
        -- Of two that come at once the second waits for the first to commit.
        insert into share.submission (request_id, dossier, digest, kept, vouched_by)
        select row.request_id, row.dossier, row.digest, row.kept, row.vouched_by
        from jsonb_populate_recordset(null::share.submission, given) as row
        join share.prefill as form using (request_id)
        where form.client_id = a.client_id and form.agreement = a.agreement
        on conflict do nothing;
    elsif into_table = 'intake.submission' and a.action = 'submission' and e.submissions then
        insert into intake.submission (source, stream, token, key_id, payload)
        select row.source, row.stream, row.token, row.key_id, row.payload
        from jsonb_populate_recordset(null::intake.submission, given) as row;
    elsif into_table = 'share.consent' and a.action = 'consent' then
        insert into entitled.consent (
            consent_id, person_key, agreement, agency, purpose, attributes, text_version, text_digest,
            given_at, channel, reference, officer, recorded_by, vouched_by
        )
        select
            row.consent_id, row.person_key, row.agreement, row.agency, row.purpose, row.attributes,
            row.text_version, row.text_digest, row.given_at, row.channel, row.reference, row.officer,
            a.client_id, row.vouched_by
        from jsonb_populate_recordset(null::share.consent, given) as row
        on conflict do nothing;
    elsif into_table = 'share.consent_withdrawal' and a.action = 'consent' then
        insert into entitled.consent_withdrawal (
            consent_id, withdrawn_at, channel, reference, officer, recorded_by, vouched_by
        )
        select
            row.consent_id, row.withdrawn_at, row.channel, row.reference, row.officer, a.client_id,
            row.vouched_by
        from jsonb_populate_recordset(null::share.consent_withdrawal, given) as row
        on conflict do nothing;
    elsif into_table = 'share.consent_evidence' and a.action = 'consent' then
        insert into share.consent_evidence (consent_id, act, digest, key_id, content)
        select row.consent_id, row.act, row.digest, row.key_id, row.content
        from jsonb_populate_recordset(null::share.consent_evidence, given) as row
        join share.consent as of_consent using (consent_id)
        where of_consent.agreement = any(e.recorded);
    elsif into_table = 'share.request' and a.action in ('consent', 'correction_request') then
        insert into share.request (
            request_id, kind, party, person_key, agreement, consent_id, case_id, received_at, answer_by,
            due_on, vouched_by
        )
        select
            row.request_id, row.kind, row.party, row.person_key, row.agreement, row.consent_id, row.case_id,
            row.received_at, row.answer_by, row.due_on, row.vouched_by
        from jsonb_populate_recordset(null::share.request, given) as row
        where case row.kind
            when 'withdrawal' then exists (
                select from share.consent as withdrawn
                where withdrawn.consent_id = row.consent_id and withdrawn.person_key = row.person_key
                    and withdrawn.agreement = row.agreement and withdrawn.agreement = any(e.recorded)
            )
            when 'correction' then row.agreement = a.agreement and row.person_key = any(people)
        end;
    elsif into_table = 'truth.correction_request' and a.action = 'correction_request' then
        select to_jsonb(requested) into result
        from jsonb_to_record(given -> 0) as row (
            person uuid, attribute text, value jsonb, why text, document text, open bigint, recent bigint,
            within interval
        )
        cross join lateral truth.request_correction(
            row.person, row.attribute, row.value, row.why, row.document, row.open, row.recent, row.within
        ) as requested
        where e.view and 'person.' || row.attribute = any(e.correctable) and row.person = any(people);
        return coalesce(result, '{"written": 0}');
    elsif into_table = 'truth.decision' and a.action = 'case' then
        insert into entitled.decision (case_id, verdict, person_key, reason, decided_by, follows)
        select row.case_id, row.verdict, row.person_key, row.reason, row.decided_by, row.follows
        from jsonb_populate_recordset(null::truth.decision, given) as row
        returning decision_id into found_id;
        return jsonb_build_object('written', 1, 'decision_id', found_id);
    elsif into_table = 'share.consumer_offset'
        and a.action in ('feed', 'corrections', 'acknowledgement') then
        insert into share.consumer_offset (feed, kind, sequence, client_id)
        select row.feed, row.kind, row.sequence, a.client_id
        from jsonb_populate_recordset(null::share.consumer_offset, given) as row
        where row.feed in (e.feed, 'corrections.' || e.source)
        on conflict do nothing;
    elsif into_table = 'share.notice_response' and a.action = 'acknowledgement' then
        insert into share.notice_response (source, notice, client_id, response, reason)
        select e.source, row.notice, a.client_id, row.response, row.reason
        from jsonb_populate_recordset(null::share.notice_response, given) as row;
    else
        perform share.note_unproven('not entitled', of_request);
        return null;
    end if;
    get diagnostics number = row_count;
    return jsonb_build_object('written', number);
end
$$;
comment on function share.write is
    'inserts rows that the API proves, within the request that is open; null: not proven, or not of an open request, of which it leaves a line';
revoke execute on function share.write from public;
grant execute on function share.write to oncehub_api;
