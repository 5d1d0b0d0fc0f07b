-- A key that few enough people share again draws in the records with that key.
with dispersed as (
    delete from truth.oversized_block c
    where not exists (select from oversized n where n.key = c.key)
    returning key
)
insert into changed_key select key from dispersed;
truncate unmatched_key, key_person, oversized;
