-- Tax codes are looked for by the part that tells people apart, for which there is person_tax_code_root.
drop index record.person_tax_code;
