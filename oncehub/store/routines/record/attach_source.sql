create or replace function record.attach_source(new_source text) returns void
    language plpgsql as $$
declare
    entity text;
    part text;
begin
    perform pg_advisory_xact_lock(hashtextextended('attach_source ' || new_source, 0));
    for entity in
        select relname from pg_class
        where relnamespace = 'record'::regnamespace and relkind = 'p'
        order by relname
    loop
        part := entity || '_' || new_source;
        if to_regclass(format('record.%I', part)) is null then
            -- Attaching lets others read and write the table meanwhile; "create ... partition of" would
            -- lock them out, and could end in a deadlock with a batch of another source.
            execute format('create table record.%I (like record.%I including all)', part, entity);
            execute format(
                'alter table record.%I attach partition record.%I for values in (%L)',
                entity, part, new_source
            );
        end if;
    end loop;
end
$$;
comment on function record.attach_source is
    'creates a source''s partition of every record table where it is absent';
