create or replace trigger link_override_insert_only before update or delete or truncate on truth.link_override
    for each statement execute function hub.refuse_change();

create or replace trigger decision_insert_only before update or delete or truncate on truth.decision
    for each statement execute function hub.refuse_change();

create or replace trigger merge_decision_insert_only
    before update or delete or truncate on truth.merge_decision
    for each statement execute function hub.refuse_change();
