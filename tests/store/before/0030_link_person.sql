-- Whose records are whose is asked by every run, several times over: the index alone answers it, instead of a page of
-- the table for each record.
drop index truth.link_person;
create index link_person on truth.link (person_key) include (source, stream, source_key, method);
