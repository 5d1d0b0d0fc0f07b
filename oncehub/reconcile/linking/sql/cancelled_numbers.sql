-- Records that are not linked and whose number the register has cancelled together with the person's record
-- (hủy số định danh cá nhân: Nghị định 70/2024/NĐ-CP): the number can be nobody's. There is no golden value
-- to compare with.
insert into found
select distinct on (s.source, s.stream, s.source_key)
    truth.survivor(truth.person_key(f.source, f.stream, f.source_key)), 'personal_id',
    s.source, s.stream, s.source_key, 'invalid', to_jsonb(s.personal_id),
    null::jsonb, s.stated_at, f.stated_at
from stating s
join record.person f
    on f.source = %(register)s and f.personal_id = s.personal_id and f.deleted_at is not null
where not exists (
    select from verdict v where v.entry = s.entry
)
and not exists (
    select from truth.identifier i where (i.scheme, i.value) = ('personal_id', s.personal_id)
)
order by s.source, s.stream, s.source_key, f.stream, f.source_key;
