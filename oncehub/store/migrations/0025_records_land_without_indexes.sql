-- What only linking reads, landing no longer writes: record.index_sources builds the indexes of each
-- partition before linking, and a name is folded where it is compared.
drop index record.person_personal_id;
drop index record.person_national_id_9;
drop index record.person_tax_code_root;
drop index record.person_passport;
drop index record.person_tax_code_12;
alter table record.person drop column name_key;
alter table truth.person drop column name_key;
