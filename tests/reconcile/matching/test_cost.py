"""With a model active, too, cost follows change."""

from __future__ import annotations

import pytest

_FILL = """
insert into record.person
    (source, stream, source_key, personal_id, full_name, birth_date, permanent_address, phone, stated_at)
select
    source, stream, source || person,
    case when source <> 'customs' then '001' || lpad(person::text, 9, '0') end,
    'Nguyễn Văn ' || md5(person::text), (date '1950-01-01' + 11 * person)::text,
    '{"unit": "00004", "edition": "2025-07-01"}'::jsonb,
    case when source <> 'population' then '+849' || lpad(person::text, 8, '0') end, '2026-01-01'
from generate_series(1, %s) person
cross join (
    values ('population', 'citizens'), ('tax', 'registrations'), ('customs', 'declarants')
) kept (source, stream)
"""

# People, records that tell of people, and records that a model judges.
_CHANGE = """
with changed as (
    update record.person
    set full_name = 'Trần Thị Bình' || source_key, phone = '+84900000001', stated_at = '2026-02-01'
    where (source, source_key) in (
        ('population', 'population7'), ('population', 'population8'),
        ('tax', 'tax9'), ('customs', 'customs10')
    )
    returning source, stream, source_key
)
insert into intake.dirty select * from changed
"""


@pytest.fixture
def many(matcher):
    matcher.execute(_FILL, 1500)
    matcher.execute("insert into intake.dirty select source, stream, source_key from record.person")
    matcher.reconcile()
    return matcher


def test_a_few_changes_among_many_records_read_no_table_from_end_to_end(many):
    linked = many.row("select count(*) from truth.link where method = 'model'")
    assert linked["count"] > 1400
    many.execute(_CHANGE)
    before = many.read_whole()
    report = many.reconcile()
    assert report.dirty == 4
    assert 3 <= report.matching.judged <= 100
    assert many.read_whole() == before
