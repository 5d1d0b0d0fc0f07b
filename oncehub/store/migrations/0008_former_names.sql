alter table record.person add column former_names text[];
comment on column record.person.former_names is
    'the names that the source has stated before; a record that states one of the register''s is of the same person';
