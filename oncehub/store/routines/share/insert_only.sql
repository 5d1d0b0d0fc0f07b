create or replace trigger request_insert_only before update or delete or truncate on share.request
    for each statement execute function hub.refuse_change();

create or replace trigger request_step_insert_only before update or delete or truncate on share.request_step
    for each statement execute function hub.refuse_change();

create or replace trigger consent_insert_only before update or delete or truncate on share.consent
    for each statement execute function hub.refuse_change();

create or replace trigger consent_withdrawal_insert_only
    before update or delete or truncate on share.consent_withdrawal
    for each statement execute function hub.refuse_change();

create or replace trigger consent_evidence_insert_only
    before update of consent_id, act, digest, recorded_at or delete or truncate on share.consent_evidence
    for each statement execute function hub.refuse_change();
