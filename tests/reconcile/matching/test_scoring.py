"""A pair's score follows from the pair and the kept model, in whatever company it is scored."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial

import duckdb
import polars as pl
import pytest

from oncehub.errors import ResourcesExhausted
from oncehub.reconcile.matching import scoring
from oncehub.reconcile.matching.features import frame_of_people, frame_of_records, note_people, note_records
from oncehub.reconcile.matching.models import frequencies_of, model_of
from oncehub.reconcile.matching.scoring import score
from oncehub.reconcile.matching.splink_job import duckdb_connection, linking
from oncehub.store.statements import statement

RECORDS = 60

_JUDGED = """
insert into unmatched
select (row_number() over (order by source, stream, source_key))::int, source, stream, source_key
from (
    select source, stream, source_key from truth.link
    where method = 'personal_id' order by source, stream, source_key limit %s
) chosen;
insert into candidate_person
select j.id, k.person_key from unmatched j join truth.link k using (source, stream, source_key);
analyze unmatched, candidate_person;
"""


@pytest.fixture(scope="module")
def frames(filled, trained):
    """The model, and the features of some records and of the people whom they are linked to."""
    with filled.database as connection, connection.cursor() as cursor:
        model = model_of(connection, trained)
        cursor.execute(statement("oncehub.reconcile.matching.matcher", "work_tables"))
        cursor.execute(_JUDGED, (RECORDS,))
        note_records(cursor, model.rules)
        note_people(cursor, model.rules, "population")
        return model, frame_of_records(cursor, model.rules), frame_of_people(cursor, model.rules)


def test_a_pair_alone_scores_as_it_does_among_many(filled, frames):
    model, records, people = frames
    numbers = records.select("unique_id")
    every_pair = numbers.select(record="unique_id").join(numbers.select(person="unique_id"), how="cross")
    at_once = score(filled.database, model, records, people, every_pair)
    assert at_once.height == RECORDS**2
    for number in ("1", "30", "60"):
        (record, person) = (side.filter(pl.col("unique_id") == number) for side in (records, people))
        alone = score(
            filled.database, model, record, person, pl.DataFrame({"record": [number], "person": [number]})
        )
        same = at_once.filter((pl.col("unique_id_l") == number) & (pl.col("unique_id_r") == number))
        columns = [
            "match_probability",
            *(name for name in alone.columns if name.startswith(("gamma_", "mw_"))),
        ]
        assert alone.select(columns).rows() == same.select(columns).rows()


def test_a_name_weighs_by_the_kept_models_frequency_not_by_that_of_the_records_at_hand(
    filled, frames, monkeypatch
):
    model, records, people = frames
    pairs = records.select(record="unique_id", person="unique_id")
    kept = frequencies_of(filled.database, model)["full_name_key"]
    ten_times = kept.with_columns(pl.col("tf_full_name_key") * 10)
    before = score(filled.database, model, records, people, pairs)
    monkeypatch.setattr(scoring, "frequencies_of", lambda *_: {"full_name_key": ten_times})
    after = score(filled.database, model, records, people, pairs)
    borne = set(kept["full_name_key"]) & set(records["full_name_key"])
    frequent = records.filter(pl.col("full_name_key").is_in(sorted(borne)))["unique_id"].to_list()
    assert frequent
    weights = [
        dict(
            each.filter(pl.col("gamma_full_name") >= 3)
            .select("unique_id_r", "mw_tf_adj_full_name")
            .iter_rows()
        )
        for each in (before, after)
    ]
    for number, weight in weights[0].items():
        less = weight - weights[1][number]
        assert less == pytest.approx(3.3219 if number in frequent else 0, abs=1e-3)


MOST = "select count(distinct n) from (select unnest(range(5000000)) as n)"
MEMORY_HAS_ENDED = re.compile("^matching: memory has ended")

LITTLE = """
import resource
from oncehub.errors import ResourcesExhausted
from oncehub.reconcile.matching.splink_job import duckdb_connection
resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))
try:
    with duckdb_connection():
        print("begun")
except ResourcesExhausted as error:
    print(error)
"""


def test_matching_does_not_begin_where_its_libraries_would_crash():
    done = subprocess.run([sys.executable, "-c", LITTLE], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"matching: needs about 600 MB, and \d+ MB are left of its data .*\n", done.stdout)


def test_what_duckdb_lacks_is_said_in_one_line_without_its_statement(frames, monkeypatch):
    model, records, people = frames
    little = {"memory_limit": "16MB", "temp_directory": ""}
    monkeypatch.setattr(duckdb, "connect", partial(duckdb.connect, config=little))
    with pytest.raises(ResourcesExhausted, match=MEMORY_HAS_ENDED), duckdb_connection() as database:
        database.execute(MOST)
    with (
        pytest.raises(ResourcesExhausted, match=MEMORY_HAS_ENDED) as caught,
        linking(model.settings, people, records, {}) as linker,
    ):
        linker.misc.query_sql(MOST)
    assert "distinct" not in str(caught.value)
