select person.person_key, led.person_key as relative
from person
left join conflict using (person_key)
join truth.leading_number as led
    on led.personal_id = text.identifying('personal_id', person.{tie} ->> 'personal_id')
where share.stands({name}, person.provenance, conflict.attributes)
