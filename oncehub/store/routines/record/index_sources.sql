create or replace function record.index_sources() returns void
    language plpgsql as $$
declare
    command text;
begin
    for command in
        select format('create index %I on record.%I %s', part.relname || '_' || wanted.name, part.relname, wanted.what)
        from pg_inherits
        join pg_class part on part.oid = inhrelid
        cross join (values
            ('personal_id', '(personal_id) where personal_id is not null'),
            ('national_id_9', '(national_id_9) where national_id_9 is not null'),
            -- Tax codes are looked up by the part that identifies the person; those of 12 digits are personal numbers.
            ('tax_code_root', $root$(text.identifying('tax_code', tax_code)) where tax_code is not null$root$),
            ('tax_code_12', '(tax_code) where length(tax_code) = 12'),
            ('passport', '(passport) where passport is not null')
        ) wanted (name, what)
        where inhparent = 'record.person'::regclass
            and to_regclass(format('record.%I', part.relname || '_' || wanted.name)) is null
        -- The order in which record.attach_source locks them.
        order by part.relname, wanted.name
    loop
        execute command;
    end loop;
end
$$;
comment on function record.index_sources is
    'builds the indexes by number of the people that sources state, where a source''s partition has none';
