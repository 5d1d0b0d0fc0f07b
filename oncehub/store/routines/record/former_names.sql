create or replace function record.keep_former_name() returns trigger
    language plpgsql as $$
begin
    new.former_names := array_append(array_remove(old.former_names, old.full_name), old.full_name);
    return new;
end
$$;
comment on function record.keep_former_name is
    'keeps the name that a source no longer states: records with it still describe the same person';

create or replace trigger person_former_name before update on record.person
    for each row
    when (old.full_name is distinct from new.full_name and old.full_name is not null)
    execute function record.keep_former_name();
