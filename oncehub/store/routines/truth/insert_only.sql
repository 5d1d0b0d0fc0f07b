create or replace function truth.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception 'truth.% is insert only', tg_table_name;
end
$$;

create or replace trigger ruling_insert_only before update or delete or truncate on truth.ruling
    for each statement execute function truth.refuse_change();

create or replace trigger decision_insert_only before update or delete or truncate on truth.decision
    for each statement execute function truth.refuse_change();

create or replace trigger joining_insert_only before update or delete or truncate on truth.joining
    for each statement execute function truth.refuse_change();
