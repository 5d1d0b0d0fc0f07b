-- Identifiers beside those of the register: passports, and tax codes that are personal numbers.
alter table record.person add column passport text;
alter table truth.person add column passport text;
create index person_passport on record.person (passport) where passport is not null;

-- Other tax codes are looked for by the part that tells people apart; see person_tax_code_root.
create index person_tax_code_12 on record.person (tax_code) where length(tax_code) = 12;
