"""The commands of `oncehub`, and how an error ends one."""

from __future__ import annotations

import logging
import sys

import psycopg2
import typer

from oncehub.cli import (
    agreements,
    audit,
    cases,
    check,
    clients,
    connector,
    consents,
    corrections,
    discrepancies,
    feeds,
    keys,
    links,
    mapping,
    matching,
    merges,
    person,
    pipeline,
    procedures,
    quarantine,
    requests,
    retention,
    run_balance,
    serve,
)
from oncehub.errors import ConfigError, OncehubError
from oncehub.store.failures import describe

# Pretty exceptions would print local variables, which hold personal data.
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The data-sharing hub: the nightly steps by hand, and the API.",
)
app.command("init")(pipeline.init)
app.command("check")(check.check)
app.command("schemas")(check.schemas)
app.command("sync")(pipeline.sync)
app.command("reconcile")(pipeline.reconcile)
app.command("control")(run_balance.control)
app.command("publish")(pipeline.publish)
app.command("status")(pipeline.status)
app.command("api")(serve.api)
app.add_typer(connector.app, name="connector")
app.add_typer(mapping.app, name="mapping")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(matching.app, name="match")
app.add_typer(links.app, name="link")
app.add_typer(cases.app, name="cases")
for command in (merges.join, merges.unjoin, merges.split, merges.joins):
    person.app.command()(command)
app.add_typer(person.app, name="person")
app.add_typer(agreements.app, name="agreements")
app.add_typer(clients.app, name="client")
app.add_typer(discrepancies.app, name="discrepancies")
app.add_typer(corrections.app, name="corrections")
app.add_typer(feeds.app, name="feeds")
app.add_typer(procedures.app, name="procedures")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(retention.app, name="retention")
app.add_typer(consents.app, name="consent")
app.add_typer(requests.app, name="requests")

FAILED, MISCONFIGURED, INTERRUPTED = 1, 2, 130


def main() -> None:
    """Run the command line; an error of the hub is one clear line on stderr and a status, no traceback.

    Statuses: 0 done, 1 failed, 2 a file, setting or argument is wrong, 130 interrupted (nothing is lost).
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        app(prog_name="oncehub")
    except ConfigError as error:
        sys.exit(_told(str(error), MISCONFIGURED))
    except OncehubError as error:
        sys.exit(_told(str(error), FAILED))
    except psycopg2.Error as error:
        sys.exit(_told(describe(error), FAILED))
    except KeyboardInterrupt:
        sys.exit(_told("interrupted; run the same command again to go on", INTERRUPTED))


def _told(message: str, status: int) -> int:
    sys.stderr.write(f"oncehub: {message}\n")
    return status
