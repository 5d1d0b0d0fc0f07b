"""`oncehub match`: the model that links records without identifiers."""

from __future__ import annotations

import getpass
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from oncehub.cli.files import read_file, write_file
from oncehub.cli.naming import linked_to
from oncehub.cli.options import Chart, Json, Reason, RecordKeyText, RecordSource, RecordStream
from oncehub.cli.output import show, show_one, write_json
from oncehub.reconcile.linking.explain import explain_link
from oncehub.reconcile.matching.charts import chart_of_model
from oncehub.reconcile.matching.evidence import chart_of
from oncehub.reconcile.matching.models import (
    Model,
    activate,
    exported,
    imported,
    keep_model,
    list_models,
    model_of,
)
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.settings import load_settings
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

ModelId = Annotated[int, typer.Argument(help="Number of a model, as shown by `oncehub match models`.")]

_MODELS = ("model", "active", "trained_at", "trained_by", "reason", "people", "labels")
_LEVELS = ("comparison", "level", "same_person", "strangers", "weight")


@app.command("train")
def train_(
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 1,
    *,
    reason: Reason = "trained by hand",
    use_it: Annotated[bool, typer.Option("--use", help="Use the model from now on.")] = False,
    as_json: Json = False,
) -> None:
    """Train a model on the records that identifiers have linked, and store it."""
    settings = load_settings()
    with opened(settings) as connection:
        with Console(stderr=True).status("training on the records that identifiers have linked"):
            model_id = train(settings, by=getpass.getuser(), reason=reason, seed=seed, database=connection)
        if use_it:
            with connection:
                activate(connection, model_id, load_rulebook(settings).register)
        model = model_of(connection, model_id)
    show_one(_row(model), title="trained", as_json=as_json)


@app.command("models")
def models(as_json: Json = False) -> None:
    """List the models, newest first."""
    with opened(load_settings()) as connection:
        rows = [_row(model) for model in list_models(connection)]
    show(rows, title="matching models", columns=_MODELS, as_json=as_json)


@app.command("use")
def use(model_id: ModelId) -> None:
    """Make a model the active one."""
    settings = load_settings()
    with opened(settings) as connection, connection:
        activate(connection, model_id, load_rulebook(settings).register)
    sys.stdout.write(f"model {model_id} is used from the next run on\n")


@app.command("show")
def show_(
    model_id: ModelId,
    chart: Chart = None,
    as_json: Json = False,
) -> None:
    """Show the weight of each level of a model in bits: +1 doubles the odds, -1 halves them."""
    with opened(load_settings()) as connection:
        model = model_of(connection, model_id)
    if chart:
        write_file(chart, chart_of_model(model).encode())
    if as_json:
        write_json({**_row(model), "rules": model.rules.model_dump(mode="json"), "settings": model.settings})
    else:
        show(list(_weights(model)), title=f"model {model_id}", columns=_LEVELS)


@app.command("explain")
def explain_(
    source: RecordSource,
    stream: RecordStream,
    key: RecordKeyText,
    chart: Chart = None,
    as_json: Json = False,
) -> None:
    """Show the weights for and against each person that a record may be about, without personal data."""
    explanation = explain_link(load_settings(), source, stream, key)
    if chart:
        write_file(chart, chart_of(explanation.candidates).encode())
    if as_json:
        write_json(asdict(explanation))
        return
    sys.stdout.write(f"{source}.{stream} {key}: {linked_to(explanation.link)}; model {explanation.model}\n")
    for candidate in explanation.candidates:
        against = ", whose number differs from that of the record" if candidate.contradicted else ""
        title = f"{candidate.person_key}{against}: probability {candidate.probability:.4f}"
        rows = [asdict(weight) for weight in candidate.weights]
        show(rows, title=title, columns=("comparison", "level", "bits"))


@app.command("export")
def export(model_id: ModelId, file: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write a model to a file that another hub can import; it holds no personal data."""
    with opened(load_settings()) as connection:
        content = exported(connection, model_id)
    write_file(file, content)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File that `oncehub match export` wrote.")],
    reason: Reason = "imported",
    as_json: Json = False,
) -> None:
    """Store a model from a file; `oncehub match use` makes it the active one."""
    trained = imported(read_file(file), str(file))
    with opened(load_settings()) as connection:
        with connection:
            model_id = keep_model(connection, trained, getpass.getuser(), reason)
        model = model_of(connection, model_id)
    show_one(_row(model), title="imported", as_json=as_json)


def _row(model: Model) -> dict[str, Any]:
    kept = asdict(model)
    return {"model": model.model_id} | {name: kept[name] for name in _MODELS[1:]}


def _weights(model: Model) -> Iterator[dict[str, Any]]:
    prior = model.settings["probability_two_random_records_match"]
    yield {"comparison": "prior", "weight": math.log2(prior / (1 - prior))}
    for comparison in model.settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            same, strangers = level["m_probability"], level["u_probability"]
            yield {
                "comparison": comparison["output_column_name"],
                "level": level["label_for_charts"],
                "same_person": f"{same:.4%}",
                "strangers": f"{strangers:.5%}",
                "weight": math.log2(same / strangers),
            }
