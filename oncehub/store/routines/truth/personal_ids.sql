create or replace function truth.doubtful_personal_id(personal_id text, birth_date text, sex text)
    returns boolean
    language sql immutable parallel safe
    return coalesce(
        left(birth_date, 4)
            <> (strpos('0123456789', substr(personal_id, 4, 1)) + 1) / 2 + 18 || substr(personal_id, 5, 2),
        false
    ) or coalesce(
        strpos('0123456789', substr(personal_id, 4, 1)) % 2
            <> case sex when 'male' then 1 when 'female' then 0 end,
        false
    );
comment on function truth.doubtful_personal_id is
    'the fourth digit gives century and sex (even: male), the next two the year of birth (Thông tư 59/2021/TT-BCA Điều 4). A number that does not fit is doubtful, not refused: a person whose sex or birth year was corrected may still bear it';

create or replace view truth.leading_number as
select held.value as personal_id, held.person_key
from truth.identifier held
where held.scheme = 'personal_id' and not held.contested and not exists (
    select from truth.identifier other
    where other.scheme = held.scheme and other.value = held.value and other.person_key <> held.person_key
        and (other.contested or other.current or not held.current)
);
comment on view truth.leading_number is
    'personal numbers with the one person to whom each leads: its present bearer, else its former one; a contested number leads to nobody; as share.find_person_key';
