"""`oncehub match`: from training to a model that scores, and to another hub."""

from __future__ import annotations

import json

import pytest

from benchmarks.data.filling import fill
from oncehub.reconcile.run import reconcile
from stubs.world.world import World


def answered(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_model_is_trained_looked_at_chosen_and_carried(oncehub, settings, tmp_path):
    early = oncehub("match", "train")
    assert (early.returncode, early.stdout) == (1, "")
    assert "run `oncehub sync` and `oncehub reconcile` first" in early.stderr
    assert oncehub("match", "models").stdout == "matching models: none\n"

    fill(settings, World.generate(500, seed=1))
    reconcile(settings)
    trained = answered(oncehub("match", "train", "--reason", "first", "--json"))
    assert (trained["active"], trained["reason"]) == (False, "first")

    number, chart, file = str(trained["model"]), tmp_path / "weights.html", tmp_path / "model.json"
    shown = oncehub("match", "show", number, "--chart", str(chart))
    assert "day and month swapped" in shown.stdout
    assert "vega" in chart.read_text("utf-8")
    assert oncehub("match", "use", number).returncode == 0
    assert oncehub("match", "export", number, str(file)).returncode == 0
    copy = answered(oncehub("match", "import", str(file), "--json"))
    models = answered(oncehub("match", "models", "--json"))
    assert [(each["model"], each["active"]) for each in models] == [
        (copy["model"], False),
        (trained["model"], True),
    ]


def test_a_link_by_a_model_is_explained_without_stated_values(oncehub, settings, database, tmp_path):
    fill(settings, World.generate(500, seed=1))
    reconcile(settings)
    assert oncehub("match", "train", "--use").returncode == 0
    assert answered(oncehub("reconcile", "--json"))["matching"]["linked"] > 0
    with database, database.cursor() as cursor:
        cursor.execute(
            "select k.source, k.stream, k.source_key, k.person_key::text, k.probability, r.full_name "
            "from truth.link k join record.person r using (source, stream, source_key) "
            "where k.method = 'model' order by 1, 2, 3 limit 1"
        )
        *record, person, probability, name = cursor.fetchone()
    chart = tmp_path / "why.html"
    told = answered(oncehub("match", "explain", *record, "--json"))
    assert (told["link"]["person_key"], told["candidates"][0]["person_key"]) == (person, person)
    assert told["candidates"][0]["probability"] == pytest.approx(probability, abs=1e-6)
    shown = oncehub("match", "explain", *record, "--chart", str(chart))
    assert "prior" in shown.stdout
    assert "vega" in chart.read_text("utf-8")
    assert name not in shown.stdout + chart.read_text("utf-8")

    absent = oncehub("match", "explain", "portal", "accounts", "no such key")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "portal.accounts has no live record of that key" in absent.stderr


def test_a_model_that_is_not_there_is_named(oncehub):
    done = oncehub("match", "use", "7")
    assert done.returncode == 2
    assert done.stderr == "oncehub: no matching model 7; `oncehub match models` lists them\n"
