-- What weighs on belief.
create function truth.doubtful_personal_id(personal_id text, birth_date text, sex text) returns boolean
    language sql immutable parallel safe
    return coalesce(
        left(birth_date, 4)
            <> (strpos('0123456789', substr(personal_id, 4, 1)) + 1) / 2 + 18 || substr(personal_id, 5, 2),
        false
    ) or coalesce(
        strpos('0123456789', substr(personal_id, 4, 1)) % 2 <> case sex when 'male' then 1 when 'female' then 0 end,
        false
    );
comment on function truth.doubtful_personal_id is
    'the fourth digit tells century and sex (even: male), the next two the year (Thông tư 59/2021/TT-BCA Điều 4). A number that does not fit what is stated is in doubt, not refused: whoever corrected sex or birth year may still bear it';
