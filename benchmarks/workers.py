"""How much faster a cycle is with workers: `python -m benchmarks.workers`, which needs a Docker engine.

For each variant an installation with the simulated systems is brought up anew. Its first cycle is measured,
from the first task that starts to the last that ends: sources are read, people linked, feeds published.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.measuring.installation import OVERRIDE, Installation, installed, until

_PROJECT: Final = "oncehub-benchmark-workers"
_MOST_SECONDS: Final = 1800
_FILES: Final = "docker-compose.yml:docker-compose.workers.yml:override.yml"

# Reconcile begins when the first sources are in, and again when more are: how often is chance, and printed.
_SECONDS: Final = """
select round(extract(epoch from max(end_date) - min(start_date)), 1),
    round(extract(epoch from max(end_date) filter (where dag_id like 'sync%') - min(start_date)), 1),
    count(distinct run_id) filter (where dag_id = 'reconcile'), count(*),
    round(sum(extract(epoch from end_date - start_date)))
from task_instance where state = 'success' and dag_id <> 'checkpoint'
"""

_SIZES: Final = """
select n.nspname || '.' || coalesce(parent.relname, c.relname), sum(pg_total_relation_size(c.oid)),
    sum(greatest(c.reltuples, 0))::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_inherits i on i.inhrelid = c.oid
left join pg_class parent on parent.oid = i.inhparent
where c.relkind = 'r' and n.nspname !~ '^pg_|^information_schema$'
group by 1 order by 2 desc
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument(
        "--variants", nargs="+", default=["local", "1", "2"], help="local, or workers: 1 or 2"
    )
    parser.add_argument("--cpus", type=float, help="of each worker, as on a small machine; all unless given")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", type=Path, help="file for the sizes of the tables after the last cycle")
    arguments = parser.parse_args()
    table = Table(
        "tasks run in", "cycle s", "all is read after s", "runs of reconcile", "tasks", "task seconds"
    )
    for _ in range(arguments.rounds):
        for variant in arguments.variants:
            with tempfile.TemporaryDirectory() as folder:
                row = [variant, *_cycle(Path(folder), variant, arguments)]
                print(*row, sep="\t", flush=True)
                table.add_row(*row)
    Console().print(table)


def _cycle(folder: Path, variant: str, arguments: argparse.Namespace) -> list[str]:
    services = ["worker-1", "worker-2"] if variant != "local" else []
    changes = {name: {"cpus": arguments.cpus} if arguments.cpus else {} for name in services}
    if variant == "1":
        changes["worker-2"] = {"profiles": ["never"]}
    override = OVERRIDE.replace(
        "services: {",
        "services: {" + "".join(f"{name}: {json.dumps(each)}, " for name, each in changes.items() if each),
    )
    files = "docker-compose.yml:override.yml" if variant == "local" else _FILES
    with installed(
        folder,
        _PROJECT,
        *("deploy/up", "--executor", "local" if variant == "local" else "celery"),
        override=override,
        COMPOSE_FILE=files,
        ONCEHUB_SIMULATED_PEOPLE=str(arguments.people),
        ONCEHUB_DATABASE_BUFFERS="1GB",
    ) as hub:
        # Looking costs a third of a core for half a second, which is the cycle's.
        until(hub.unfinished, _MOST_SECONDS, every=5)
        measured = hub.query(_SECONDS, "airflow")[0].split("|")
        if arguments.sizes:
            arguments.sizes.write_text(_sizes(hub), "utf-8")
    return measured


def _sizes(hub: Installation) -> str:
    hub.query("vacuum analyze", "oncehub")
    return "\n".join(hub.query(_SIZES, "oncehub")) + "\n"


if __name__ == "__main__":
    main()
