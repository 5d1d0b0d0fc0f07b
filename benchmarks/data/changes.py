"""Changes one person in a hundred in every source that has a record of the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from oncehub.store.connection import Connection

# Of the people a third takes another phone, a third moves, and a third has the name corrected, in whatever
# records state that. The other records of these people are stated anew, unchanged.
_CHOOSE: Final = """
create temporary table changed on commit drop as
select k.source, k.stream, k.source_key, c.change, c.digits
from (
    select
        person_key,
        (array['phone', 'address', 'name'])[1 + (hashtext(person_key::text) & 65535) %% 3] as change,
        translate(left(md5(person_key::text || %(hundredth)s), 8), 'abcdef', '012345') as digits
    from truth.person
    where (hashtext(person_key::text) >> 16 & 32767) %% 100 = %(hundredth)s
) c
join truth.link k using (person_key);
analyze changed;
"""

_CHANGE: Final = """
update record.person r
set
    phone = case when change = 'phone' and phone is not null then '+849' || digits else phone end,
    permanent_address = case
        when change = 'address' then jsonb_set(permanent_address, '{detail}', to_jsonb('Tổ ' || digits))
        else permanent_address
    end,
    full_name = case
        when change = 'name'
        then full_name || ' ' || (array['An', 'Chi', 'Giang', 'Khánh', 'Minh'])[1 + digits::int % 5]
        else full_name
    end,
    stated_at = latest + interval '1 hour',
    received_at = now()
from changed c
cross join (select max(stated_at) as latest from record.person) stated
where (r.source, r.stream, r.source_key) = (c.source, c.stream, c.source_key)
"""

_MARK: Final = """
insert into intake.dirty (source, stream, source_key)
select source, stream, source_key from changed
"""


@dataclass(frozen=True)
class Changed:
    """How many people changed, and how many records of theirs."""

    people: int
    records: int


def change_one_in_a_hundred(connection: Connection, hundredth: int) -> Changed:
    """Change every record linked to a hundredth of the people, the same ones for the same number 0 to 99."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_CHOOSE, {"hundredth": hundredth})
        cursor.execute("select count(*) from changed where (source, stream) = ('population', 'citizens')")
        (people,) = cursor.fetchone() or (0,)
        cursor.execute(_CHANGE)
        records = cursor.rowcount
        cursor.execute(_MARK)
    return Changed(people, records)
