"""The commands of `oncehub`, and how an error ends one."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from contextlib import nullcontext
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from oncehub import __version__
from oncehub.cli.last_words import last_words
from oncehub.errors import ConfigError, OncehubError
from oncehub.exhaustion import remedy, require_least

FAILED, MISCONFIGURED, INTERRUPTED = 1, 2, 130


class _Place(NamedTuple):
    """Where a command or a group of commands is defined below `oncehub.cli`, and its line of help."""

    module: str
    help: str
    function: str | None = None


COMMANDS: Final = {
    "init": _Place("init", "Create or update the tables, functions and rights of the database.", "init"),
    "init-secrets": _Place(
        "init_secrets",
        "Make the file .env for docker compose, with random passwords and keys.",
        "init_secrets",
    ),
    "check": _Place("check", "Check every configuration file, and that everything it names exists.", "check"),
    "schemas": _Place("check", "Write the JSON Schemas of the configuration files, for editors.", "schemas"),
    "sync": _Place("sync", "Read sources and land their records.", "sync"),
    "reconcile": _Place("reconcile", "Link new records to people, update golden records and discrepancies."),
    "publish": _Place("publish", "Publish changes to feeds and correction notices.", "publish"),
    "status": _Place("status", "Show the last run of every stream, and what is wrong (status 1).", "status"),
    "runs": _Place(
        "runs",
        "Show which landing came into which reconcile run, and that into which lines of which feed.",
        "runs",
    ),
    "watch": _Place("watch", "Watch the hub until stopped, and tell people what needs them.", "watch"),
    "api": _Place("api", "Serve look-ups, prefilled forms and feeds over HTTP until stopped.", "api"),
    "connector": _Place("connector", "Write, check, test and document the connector of a source."),
    "mapping": _Place("mapping", "Compare versions of a mapping, and list its transforms."),
    "quarantine": _Place("quarantine", "List rejected records, and replay them after a fix."),
    "match": _Place(
        "matching", "Train, inspect and choose the model that links records without identifiers."
    ),
    "link": _Place("links", "Show, remove and override the link from a record to a person."),
    "cases": _Place("cases", "List, show and decide the cases that need a clerk."),
    "person": _Place("person", "Explain golden records, and merge, unmerge or split people."),
    "agreements": _Place("agreements", "Apply the agreements' rights to the database."),
    "client": _Place("clients", "Register the agencies' API clients and their keys."),
    "identity": _Place("identity", "List, pin and end the keys of identity providers."),
    "discrepancies": _Place("discrepancies", "List discrepancies between sources and golden records."),
    "corrections": _Place("corrections", "Show how sources keep up with their correction notices."),
    "feeds": _Place("feeds", "Check that agencies have what was published to them."),
    "procedures": _Place("procedures", "Show procedures, their forms, and how much of them the hub fills."),
    "audit": _Place("audit", "Sign, archive and verify the access log."),
    "airflow": _Place("airflow", "Print what an installation of Airflow is given."),
    "restore": _Place("restore", "Let the hub go on with a restored, copied or failed over database."),
    "keys": _Place("keys", "List, rotate and retire the keys of stored values; re-encrypt these."),
    "retention": _Place("retention", "Show retention periods, purge expired data, and verify the proofs."),
    "consent": _Place("consents", "Record, show and withdraw citizens' consents."),
    "requests": _Place("requests", "List citizens' requests, and note the steps taken."),
}


def load_command(name: str) -> Any:
    """Import a command or group of commands by its name, with what it needs."""
    require_least()
    place = COMMANDS[name]
    module = importlib.import_module(f"oncehub.cli.{place.module}")
    if place.function is None:
        # Unlike get_command, this keeps a group of a single command a group.
        command: Any = typer.main.get_group(module.app)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name)(getattr(module, place.function))
        command = typer.main.get_command(app)
    command.help = command.help or place.help
    return command


class _LazyGroup(TyperGroup):
    """Lists commands without importing them; a command is imported when it runs or shows its own help."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments name, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest


# Pretty exceptions would print local variables, which hold personal data.
app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        sys.stdout.write(f"oncehub {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Run the steps of the data-sharing hub by hand, and administer it."""


def _listed() -> None:
    """Stand for a command until it is imported."""


for _name, _place in COMMANDS.items():
    app.command(_name, help=_place.help)(_listed)


def main() -> None:
    """Run the command line; an error of the hub is one line on stderr and a status, without a traceback.

    Statuses: 0 success, 1 failure, 2 a file, setting or argument is wrong, 130 interrupted (nothing is lost).
    """
    # The API's processes watch each other.
    with nullcontext() if sys.argv[1:2] == ["api"] else last_words():
        _run()


def _run() -> None:
    try:
        _configure_logging()
        app(prog_name="oncehub")
    except SystemExit:
        raise
    except ConfigError as error:
        sys.exit(_reported(str(error), MISCONFIGURED))
    except OncehubError as error:
        sys.exit(_reported(str(error), FAILED))
    except KeyboardInterrupt:
        sys.exit(_reported("interrupted; run the same command again to continue", INTERRUPTED))
    except _database_error() as error:
        from oncehub.store.failures import describe

        sys.exit(_reported(describe(error), FAILED))
    except Exception as error:
        if (advice := remedy(error)) is None:
            raise
        sys.exit(_reported(advice, FAILED))


def _configure_logging() -> None:
    """Log warnings; JSON takes a package that most commands do without."""
    line = "%(levelname)s %(name)s: %(message)s"
    if os.environ.get("ONCEHUB_LOG"):
        from oncehub.logs import configure_logging

        configure_logging(logging.INFO, line)
    else:
        logging.basicConfig(level=logging.WARNING, format=line, stream=sys.stderr)


def _database_error() -> Any:
    """Return psycopg2's base error; most commands fail, or succeed, without the database."""
    import psycopg2

    return psycopg2.Error


def _reported(message: str, status: int) -> int:
    sys.stderr.write(f"oncehub: {message}\n")
    return status
