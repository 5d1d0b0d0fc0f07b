create or replace function truth.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'truth.% is insert only', tg_table_name;
end
$$;

create or replace trigger link_override_insert_only before update or delete or truncate on truth.link_override
    for each statement execute function truth.refuse_change();

create or replace trigger decision_insert_only before update or delete or truncate on truth.decision
    for each statement execute function truth.refuse_change();

create or replace trigger merge_decision_insert_only
    before update or delete or truncate on truth.merge_decision
    for each statement execute function truth.refuse_change();
