-- What tells of a person by their key is asked through an agreement's schema (oncehub/share/access/database_access.py), and so is what lets
-- an agreement be told more. The API's own login knows keys, and must get nothing by them.
revoke execute on function
    audit.usage_of, share.agreeing_sources, share.consent_of, share.consent_proven_by, share.consented,
    share.consents_of, share.opened_form, share.reusable_papers, truth.disputed_by_owner, truth.own_keys,
    truth.request_correction, truth.requests_of
    from oncehub_api;
revoke insert (consent_id, person_key, agreement, agency, purpose, attributes, text_version, text_digest, given_at,
    channel, reference, officer, recorded_by) on share.consent from oncehub_api;
revoke insert (consent_id, withdrawn_at, channel, reference, officer, recorded_by)
    on share.consent_withdrawal from oncehub_api;
