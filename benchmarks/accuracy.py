"""Measures the hub's accuracy on the simulated population.

Run by `make bench`, or `python -m benchmarks.accuracy`.

A hub is filled with the simulated population (no HTTP) at each level of dirt
(`stubs/world/planting/dirt.py`), reconciles, trains its matching model on what identifiers linked,
reconciles the rest, and is compared with the truth that only the simulation knows. What counts as
right is strict:

- A link is right when the record is about exactly that person. One link is expected for each live unbroken
  record of a person in the register, even where the record has no identifier, a mistyped one, or that of
  another person.
- A discrepancy is right when the truth has one of the same person, attribute, record and kind. Every
  discrepancy is expected that could be found if the person of each record were known; those of an unlinked
  record are missed.
- A method's precision is measured over the links that it made, its recall over the records that it should
  have linked: those whose identifiers lead to their person by it. In the row `none` no identifier leads to a
  person, in `wrong_person` it leads to another person.
- A case names one person or a few candidates. `same` counts the cases whose record is about one of them: a
  link refused in error (`wrong_person`), or a link rightly left to a clerk (`possible_match`).

With folding off, only case and spaces are ignored when names and texts are compared: the database's folding
functions are replaced before any record lands.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.data.filling import fill
from benchmarks.measuring.scores import (
    ALL,
    DISCREPANCY,
    LINK,
    Cases,
    Score,
    score_discrepancies,
    score_links,
    weigh_cases,
)
from benchmarks.measuring.server import Server, temporary_server
from benchmarks.measuring.tables import case_table, figures, rates_of, score_table
from oncehub.initialise import initialise
from oncehub.reconcile.matching.models import activate
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from stubs.world.planting.dirt import LEVELS
from stubs.world.world import World

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 1
FOLDING: Final = ("on", "off")

_UNFOLDED: Final = """
create or replace function text.fold(given text) returns text
    language sql immutable strict parallel safe
    return btrim(regexp_replace(lower(normalize(given, NFC)), '\\s+', ' ', 'g'));
create or replace function text.fold_name(given text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(lower(normalize(given, NFC)), '\\s+', '', 'g');
"""

_PEOPLE: Final = "(select person_key, source_key as register_id from truth.link where method = 'register') f"

_LINKED: Final = f"""
select k.source, k.stream, k.source_key, f.register_id, k.method
from truth.link k join {_PEOPLE} using (person_key)
where k.method <> 'register'
"""

_FOUND: Final = f"""
select d.source, d.stream, d.source_key, f.register_id, d.attribute, d.kind
from truth.discrepancy d join {_PEOPLE} using (person_key)
where d.closed_at is null
"""

_CASES: Final = f"""
select c.source, c.stream, c.source_key, f.register_id, c.kind
from truth.case_file c
left join truth.match_candidate n
    on c.kind = 'possible_match'
    and (n.source, n.stream, n.source_key) = (c.source, c.stream, c.source_key)
join {_PEOPLE} on f.person_key = coalesce(n.person_key, c.person_key)
where c.closed_at is null
"""


@dataclass(frozen=True)
class Accuracy:
    """Scores of one hub.

    Attributes:
        level: of dirt.
        folding: whether names are compared folded.
        links: scores, of all and by method.
        discrepancies: scores, of all and by kind.
        by_attribute: scores of the same, of all and by attribute.
        cases: by kind.
    """

    level: str
    folding: bool
    links: dict[str, Score]
    discrepancies: dict[str, Score]
    by_attribute: dict[str, Score]
    cases: dict[str, Cases]


def measure(server: Server, home: Path, people: int, level: str, *, folding: bool = True) -> Accuracy:
    """Fill and reconcile a hub in the database `accuracy`, and score it."""
    server.create("accuracy")
    settings = Settings(ROOT, home, server.url("accuracy"))
    initialise(settings, make_keys=True)
    world = World.generate(people, SEED, dirt=LEVELS[level])
    with closing(connect(server.url("accuracy"))) as connection:
        if not folding:
            with connection, connection.cursor() as cursor:
                cursor.execute(_UNFOLDED)
        fill(settings, world)
        server.settle("accuracy")
        reconcile(settings)
        _match(settings, connection)
        return _scored(connection, world, level, folding=folding)


def _match(settings: Settings, connection: Connection) -> None:
    """Train a model on the records that identifiers link, and apply it to the others."""
    model = train(settings, by="benchmark", reason="measuring accuracy", database=connection)
    with connection:
        activate(connection, model, load_rulebook(settings).register)
    reconcile(settings)


def _scored(connection: Connection, world: World, level: str, *, folding: bool) -> Accuracy:
    truth = world.whole_truth()
    found = _frame(connection, _FOUND, DISCREPANCY)
    return Accuracy(
        level=level,
        folding=folding,
        links=score_links(_frame(connection, _LINKED, (*LINK, "method")), truth.links),
        discrepancies=score_discrepancies(found, truth.discrepancies),
        by_attribute=score_discrepancies(found, truth.discrepancies, by="attribute"),
        cases=weigh_cases(_frame(connection, _CASES, (*LINK, "kind")), truth.links),
    )


def _frame(connection: Connection, query: str, columns: Sequence[str]) -> pl.DataFrame:
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        return pl.DataFrame(cursor.fetchall(), schema=dict.fromkeys(columns, pl.String), orient="row")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--levels", nargs="+", choices=list(LEVELS), default=list(LEVELS))
    parser.add_argument("--folding", nargs="+", choices=FOLDING, default=FOLDING)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    arguments = parser.parse_args()
    with temporary_server() as (server, home):
        taken = [
            measure(server, home, arguments.people, level, folding=folding == "on")
            for level in arguments.levels
            for folding in arguments.folding
        ]
    if arguments.json:
        print(json.dumps({"people": arguments.people, "measured": [_document(each) for each in taken]}))
    else:
        _print(Console(), arguments.people, taken)


def _document(taken: Accuracy) -> dict[str, Any]:
    scores = {
        name: {group: asdict(each) | each.rates for group, each in getattr(taken, name).items()}
        for name in ("links", "discrepancies", "by_attribute")
    }
    return asdict(taken) | scores


def _print(console: Console, people: int, taken: Sequence[Accuracy]) -> None:
    for each in taken:
        title = f"{people:,} people, {_hub(each)}"
        console.print(score_table(f"{title}: links", "method", each.links))
        console.print(score_table(f"{title}: discrepancies", "kind", each.discrepancies))
        console.print(score_table(f"{title}: the same discrepancies", "attribute", each.by_attribute))
        console.print(case_table(f"{title}: cases", each.cases))
    console.print(_summary(people, taken))


def _hub(taken: Accuracy) -> str:
    return f"{taken.level} dirt, folding {'on' if taken.folding else 'off'}"


def _summary(people: int, taken: Sequence[Accuracy]) -> Table:
    rates = ("precision", "recall", "F1")
    table = figures(f"{people:,} people", "links, discrepancies", *rates, *rates)
    for each in taken:
        scores = (*rates_of(each.links[ALL]), *rates_of(each.discrepancies[ALL]))
        table.add_row(_hub(each), *scores)
    return table


if __name__ == "__main__":
    main()
