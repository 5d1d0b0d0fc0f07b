"""What a model learns from the records that identifiers have linked, and how it is kept."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from oncehub.errors import ConfigError, NotTrainable
from oncehub.reconcile.matching.models import (
    exported,
    frequencies_of,
    imported,
    keep_model,
    list_models,
    model_of,
)
from oncehub.reconcile.matching.train import train


def _weights(model):
    return {
        (comparison["output_column_name"], level["label_for_charts"]): level["m_probability"]
        / level["u_probability"]
        for comparison in model.settings["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level")
    }


def test_the_better_two_records_agree_the_more_it_weighs(filled, trained):
    weight = _weights(model_of(filled.database, trained))
    assert weight["birth_date", "same day"] > weight["birth_date", "day and month swapped"] > 1
    assert weight["birth_date", "differs"] < 0.01
    assert weight["full_name", "as stated"] > 1000
    assert weight["full_name", "differs"] < 0.01
    assert weight["phone", "shared"] > 1000
    assert 1 < weight["sex", "equal"] < 2.1
    assert weight["permanent_address", "same commune"] > 50


def test_a_record_is_no_evidence_for_itself(filled, trained):
    """A phone that only the record states is one that the person is not known by."""
    (phone,) = (
        each["comparison_levels"]
        for each in model_of(filled.database, trained).settings["comparisons"]
        if each["output_column_name"] == "phone"
    )
    differs = next(level for level in phone if level["label_for_charts"] == "differs")
    assert differs["m_probability"] > 0.01


def test_the_same_seed_and_data_give_the_same_model(filled, trained):
    again = train(filled.settings, by="somebody else", reason="again", database=filled.database)
    first, second = (_told(filled.database, each) for each in (trained, again))
    assert first == second


def test_names_weigh_by_their_frequency_in_the_register(filled, trained):
    frequencies = frequencies_of(filled.database, model_of(filled.database, trained))["full_name_key"]
    borne = dict(frequencies.iter_rows())
    with filled.database, filled.database.cursor() as cursor:
        cursor.execute(
            "select text.fold_name(full_name), count(*) from record.person "
            "where source = 'population' and deleted_at is null group by 1 having count(*) > 1"
        )
        counted = dict(cursor.fetchall())
    people = model_of(filled.database, trained).people
    assert borne == {name: pytest.approx(count / people) for name, count in counted.items()}


def test_without_linked_records_there_is_nothing_to_learn_from(hub):
    hub.state("population", "1", full_name="Nguyễn Văn An", personal_id="001184000001")
    hub.reconcile()
    with pytest.raises(NotTrainable, match=r"0 records are linked .* `oncehub reconcile` first"):
        train(hub.settings, by="tester", reason="too early", database=hub.database)


def test_rules_without_a_model_cannot_be_trained(filled, tmp_path):
    rules = tmp_path / "mappings" / "rules"
    rules.mkdir(parents=True)
    for name in ("schemas", "connectors"):
        (tmp_path / name).symlink_to(filled.settings.root / name)
    for path in (filled.settings.mappings / "rules").iterdir():
        text = path.read_text("utf-8")
        (rules / path.name).write_text(text.partition("model:\n")[0].replace(", model]", "]"), "utf-8")
    with pytest.raises(ConfigError, match=r"matching\.yaml: there is no `model:`"):
        train(
            replace(filled.settings, root=tmp_path), by="tester", reason="no rules", database=filled.database
        )


def test_a_kept_model_is_never_changed_nor_lost(filled, trained):
    with filled.database, filled.database.cursor() as cursor:
        cursor.execute("delete from truth.match_model")
    assert trained in {model.model_id for model in list_models(filled.database)}
    with (
        pytest.raises(psycopg2.errors.RaiseException, match="cannot be changed"),
        filled.database,
        filled.database.cursor() as cursor,
    ):
        cursor.execute("update truth.match_model set reason = 'another' where model_id = %s", (trained,))


def test_a_model_carried_to_another_hub_is_the_same(filled, trained):
    carried = imported(exported(filled.database, trained), "model.json")
    with filled.database:
        copy = keep_model(filled.database, carried, "tester", "carried")
    assert _told(filled.database, copy) == _told(filled.database, trained)


@pytest.mark.parametrize("document", [b"", b"[]", b'{"format": "another"}', b'{"rules": {}}'])
def test_a_file_that_holds_no_model_is_refused(document):
    with pytest.raises(ConfigError, match=r"model\.json: is no model"):
        imported(document, "model.json")


def _told(connection, model_id):
    model = model_of(connection, model_id)
    frequencies = {name: frame.rows() for name, frame in frequencies_of(connection, model).items()}
    return model.settings, frequencies, model.rules, model.people, model.labels
