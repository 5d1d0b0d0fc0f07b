create or replace function audit.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'the access log is insert only';
end
$$;

create or replace trigger entry_insert_only before update or delete or truncate on audit.entry
    for each statement execute function audit.refuse_change();

create or replace trigger disclosure_insert_only before update or delete or truncate on audit.disclosure
    for each statement execute function audit.refuse_change();

create or replace trigger prefill_never_changes before update on share.prefill
    for each statement execute function audit.refuse_change();

create or replace trigger submission_never_changes before update on share.submission
    for each statement execute function audit.refuse_change();

create or replace trigger purge_insert_only before update or delete or truncate on audit.purge
    for each statement execute function audit.refuse_change();

create or replace trigger purge_signature_insert_only
    before update or delete or truncate on audit.purge_signature
    for each statement execute function audit.refuse_change();

create or replace function audit.refuse_checkpoint_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'checkpoints of the access log are insert only';
end
$$;

create or replace trigger checkpoint_insert_only before update or delete or truncate on audit.checkpoint
    for each statement execute function audit.refuse_checkpoint_change();

create or replace trigger leaf_insert_only before update or delete or truncate on audit.leaf
    for each statement execute function audit.refuse_checkpoint_change();

create or replace trigger subtree_insert_only before update or delete or truncate on audit.subtree
    for each statement execute function audit.refuse_checkpoint_change();

create or replace trigger attestation_insert_only before update or delete or truncate on audit.attestation
    for each statement execute function audit.refuse_checkpoint_change();
