create or replace function hub.refuse_change() returns trigger
    language plpgsql as $$
begin
    raise exception '%.% is insert only', tg_table_schema, tg_table_name;
end
$$;

create or replace trigger history_insert_only before update or delete or truncate on hub.history
    for each statement execute function hub.refuse_change();
