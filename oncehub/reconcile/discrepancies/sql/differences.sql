-- Compares what records state (`statement`) with the golden records (`golden`): one line in `found` for each
-- attribute of a record that differs.
with compared as (
    select s.person_key, s.source, s.stream, s.source_key, s.stated_at, p.provenance, {compared}
    from statement s join golden p using (person_key)
),
differing as materialized (
    select * from compared where coalesce({kinds}) is not null
)
insert into found
{differences};
analyze found;
