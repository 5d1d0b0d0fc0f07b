-- The members of a household are found by the head that the register names for each of them.
create index person_household on truth.person ((household_head ->> 'personal_id'))
    where household_head ->> 'personal_id' is not null;

create view truth.leading_number as
select held.value as personal_id, held.person_key
from truth.identifier held
where held.scheme = 'personal_id' and not held.contested and not exists (
    select from truth.identifier other
    where other.scheme = held.scheme and other.value = held.value and other.person_key <> held.person_key
        and (other.contested or other.current or not held.current)
);
comment on view truth.leading_number is
    'personal numbers, and the one person whom each leads to: as share.sought does, whoever holds it now, else held it formerly, and of a contested one nobody';
