-- The API writes through share.write alone, which checks that a request is proven and open.
revoke insert (request_id, client_id, agreement, procedure, person, form_of, filled, confirm, missing_items)
    on share.prefill from oncehub_api;
revoke insert (request_id, dossier, digest, kept, vouched_by) on share.submission from oncehub_api;
revoke insert (request_id, kind, party, person_key, agreement, consent_id, case_id, received_at, answer_by,
    due_on, vouched_by)
    on share.request from oncehub_api;
revoke insert (consent_id, act, digest, key_id, content) on share.consent_evidence from oncehub_api;
revoke insert (feed, kind, sequence, client_id) on share.consumer_offset from oncehub_api;
revoke insert (source, notice, client_id, response, reason) on share.notice_response from oncehub_api;
revoke insert (fingerprint) on share.token_key from oncehub_api;
revoke select, insert, delete on share.assertion from oncehub_api;
revoke insert (source, stream, token, key_id, payload) on intake.submission from oncehub_api;
revoke usage on schema intake from oncehub_api;
drop function if exists entitled.request_correction(uuid, text, jsonb, text, text, bigint, bigint, interval);
