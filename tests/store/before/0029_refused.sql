-- Whoever changes in the register is asked which records were refused for them: few of all that is open.
create index discrepancy_refused on truth.discrepancy (person_key)
    where closed_at is null and (kind = 'wrong_person' or kind = 'invalid' and believed is null);
