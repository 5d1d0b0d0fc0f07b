"""Runs a hostile source: `python -m stubs.hostile --people 200 --seed 1 --plant late_rows`."""

import json
import signal
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from threading import Event
from typing import NoReturn, get_args

from pydantic import ValidationError

from stubs.hostile.client import HostileSource
from stubs.hostile.plants import KNOWN, UnknownPlantError
from stubs.hostile.variant import Variant
from stubs.servers.listening import PortInUseError


def main() -> None:
    """Starts a source, prints its connection and control as JSON, and serves until SIGTERM or SIGINT."""
    arguments = _parser().parse_args()
    if arguments.list:
        _list_plants()
        return
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with tempfile.TemporaryDirectory() as scratch, _started(arguments, Path(scratch)) as source:
            _print({"connection": source.connection, "control": source.control})
            stop.wait()
    except ValidationError as wrong:
        _fail(
            "; ".join(f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in wrong.errors())
        )
    except (UnknownPlantError, PortInUseError) as problem:
        _fail(str(problem))


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m stubs.hostile", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list what can be planted, and end")
    parser.add_argument("--plant", action="append", default=[], metavar="NAME", help="may be given again")
    parser.add_argument("--people", type=int, default=200, help="holders in the register (200)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same register (1)")
    parser.add_argument("--port-base", type=int, default=0, help="first of three ports; 0: free ones")
    parser.add_argument("--state", type=Path, help="folder for keys and dropped files (a temporary one)")
    variant = parser.add_argument_group("variant")
    for name, field in Variant.model_fields.items():
        choices = [str(choice) for choice in get_args(field.annotation)] or None
        text = f"{field.description} ({field.default})"
        variant.add_argument(f"--{name.replace('_', '-')}", dest=name, choices=choices, help=text)
    return parser


def _started(arguments: Namespace, scratch: Path) -> HostileSource:
    chosen = {name: getattr(arguments, name) for name in Variant.model_fields}
    given = {name: value for name, value in chosen.items() if value is not None}
    return HostileSource.start(
        arguments.state or scratch,
        variant=Variant.model_validate_strings(given),
        plants=arguments.plant,
        people=arguments.people,
        seed=arguments.seed,
        port_base=arguments.port_base,
    )


def _list_plants() -> None:
    width = max(map(len, KNOWN))
    for name, plant in KNOWN.items():
        notes = "; ".join([f"needs {plant.needs}"] * bool(plant.needs) + ["harmless"] * plant.harmless)
        sys.stdout.write(f"{name:<{width}}  {plant.description()}" + (f" ({notes})" if notes else "") + "\n")


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def _fail(problem: str) -> NoReturn:
    sys.stderr.write(f"stubs.hostile: {problem}\n")
    raise SystemExit(1)


if __name__ == "__main__":
    main()
