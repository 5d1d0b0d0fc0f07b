-- A crowd that has become small enough draws in the records that share its key.
with dispersed as (
    delete from truth.match_crowd c
    where not exists (select from crowded n where n.key = c.key)
    returning key
)
insert into changed_key select key from dispersed;
truncate judged_key, key_person, crowded;
