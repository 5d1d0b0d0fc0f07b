"""Cost follows change, not size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from oncehub.reconcile.run import mark_all, reconcile
from oncehub.store.connection import connect

PEOPLE = 2000

_FILL = """
insert into record.person
    (source, stream, source_key, personal_id, full_name, birth_date, permanent_address, phone, tax_code,
     stated_at)
select
    source, stream, source || person, '001' || lpad(person::text, 9, '0'), 'Nguyễn Văn ' || md5(person::text),
    '1984-05-07', '{"unit": "00004", "edition": "2025-07-01"}'::jsonb,
    case when source <> 'population' then '+849' || lpad(person::text, 8, '0') end,
    case when source <> 'population' then lpad(person::text, 10, '0') end,
    '2026-01-01'
from generate_series(1, %s) person
cross join (
    values ('population', 'citizens'), ('tax', 'registrations'), ('customs', 'declarants')
) kept (source, stream)
"""

_CHANGE = """
with changed as (
    update record.person
    set full_name = 'Trần Thị Bình', phone = '+84900000001', stated_at = '2026-02-01'
    where right(source_key, 2) = '07' and (source = 'population' or source_key like '%%107')
    returning source, stream, source_key
)
insert into intake.dirty select * from changed
"""


def test_a_few_changes_among_many_records_read_no_table_from_end_to_end(hub):
    hub.execute(_FILL, PEOPLE)
    hub.execute("insert into intake.dirty select source, stream, source_key from record.person")
    assert hub.reconcile().people_created == PEOPLE
    hub.execute(_CHANGE)
    before = hub.read_whole()
    report = hub.reconcile()
    assert (report.dirty, report.people_changed) == (23, 19)
    assert hub.read_whole() == before


# The planner takes an empty table that was vacuumed for one that stays empty.
_DECIDED = """
select c.oid::regclass::text as name
from pg_class c join pg_namespace n on n.oid = relnamespace
where nspname = 'truth' and relkind = 'r'
"""

_SCANS = "select relname, seq_scan as scans from pg_stat_user_tables where schemaname = 'truth'"


def test_a_first_run_into_vacuumed_tables_reads_none_of_them_once_a_record(hub):
    hub.execute(_FILL, PEOPLE)
    hub.execute("insert into intake.dirty select source, stream, source_key from record.person")
    _vacuum(hub, [row["name"] for row in hub.rows(_DECIDED)])
    before = _scans(hub)
    assert hub.reconcile().people_created == PEOPLE
    read = {name: scans - before[name] for name, scans in _scans(hub).items()}
    assert 0 < max(read.values()) < PEOPLE / 10


_INDEXES = """
select i.indexrelid::regclass::text as name, i.indexrelid::bigint as made, i.indisvalid,
    pg_get_indexdef(i.indexrelid) as definition
from pg_index i
where i.indrelid in ('truth.link'::regclass, 'truth.identifier'::regclass)
order by 1
"""


def test_a_first_run_indexes_people_when_all_is_written_and_later_runs_keep_the_indexes(hub):
    hub.execute(_FILL, PEOPLE)
    migrated = hub.rows(_INDEXES)
    hub.execute("insert into intake.dirty select source, stream, source_key from record.person")
    hub.reconcile()
    built = hub.rows(_INDEXES)
    remade = {new["name"] for new, old in zip(built, migrated, strict=True) if new["made"] != old["made"]}
    assert remade == {"truth.link_person", "truth.identifier_person"}
    assert [row | {"made": 0} for row in built] == [row | {"made": 0} for row in migrated]
    mark_all(hub.database)
    hub.reconcile()
    assert hub.rows(_INDEXES) == built


def test_a_transaction_that_reads_links_and_then_overrides_does_not_block_the_first_run(hub):
    hub.state("population", "CD1", 0, personal_id="001184000001", full_name="Nguyễn Văn An")
    url = hub.settings.database_url
    with closing(connect(url)) as clerk, closing(connect(url)) as runs, ThreadPoolExecutor(1) as thread:
        with clerk, clerk.cursor() as cursor:
            cursor.execute("select count(*) from truth.link")
            running = thread.submit(reconcile, hub.settings, runs)
            while not running.done() and not hub.waits(runs):
                pass
            cursor.execute("lock table truth.link_override in row exclusive mode")
        assert running.result().people_created == 1


def _vacuum(hub, tables):
    hub.database.commit()
    hub.database.autocommit = True
    with hub.database.cursor() as cursor:
        for table in tables:
            cursor.execute(f"vacuum (analyze) {table}")
    hub.database.autocommit = False


def _scans(hub):
    hub.execute("select pg_stat_force_next_flush()")
    return {row["relname"]: row["scans"] for row in hub.rows(_SCANS)}
