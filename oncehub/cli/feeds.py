"""`oncehub feeds`: checks that agencies have what was published to them."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path
from typing import Annotated, Any

import typer

from oncehub.audit.log.pseudonyms import retired_pseudonym_keys
from oncehub.cli.options import Json
from oncehub.cli.output import show
from oncehub.config.agreements import Agreement
from oncehub.encryption.field_values import decrypting
from oncehub.encryption.known_keys import known_key
from oncehub.errors import ConfigError
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.feeds.check import FeedChecker
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

app = typer.Typer(no_args_is_help=True)

_COLUMNS = (
    "feed",
    "epoch",
    "client",
    "published",
    "fetched",
    "acknowledged",
    "in_flight",
    "stale",
    "oldest_stale",
    "missed",
    "unpublished",
)
_FINDINGS = ("in_flight", "stale", "missed", "unpublished")
_DIFFERENT = 1


@app.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(help="A feed, or a client that reads one; all feeds unless given.")
    ] = None,
    held: Annotated[
        Path | None,
        typer.Option(
            help="What the client holds, as JSON Lines of person and digest; needs the name of a client."
        ),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--every", help="Compare every person, not only changed ones; reads whole tables.")
    ] = False,
    shown: Annotated[int, typer.Option(min=1, help="How many people of each kind --json lists.")] = 100,
    as_json: Json = False,
) -> None:
    """Compare golden records with the published feeds, and these with what each client holds.

    in flight: changed, not yet published. stale: published, not yet fetched. missed: fetched, but the client
    holds something else. unpublished: no publication is due, a fault of the hub. Status 1 for the last two.
    """
    settings = load_settings()
    with opened(settings) as connection:
        agreements, client = _named(settings, connection, name)
        if held and client is None:
            raise ConfigError(
                "--held is the state of one client; give the name of the client instead of the feed"
            )
        with connection, connection.cursor() as cursor:
            key = known_key(cursor, "pseudonym", settings.home, former=retired_pseudonym_keys())
        with decrypting(settings.home, connection):
            checks = [
                checked
                for agreement in agreements
                for checked in FeedChecker(agreement, key, shown, every=every).check(connection, client, held)
            ]
    rows = [dataclasses.asdict(checked) for checked in checks]
    show(
        rows if as_json else [_counted(row) for row in rows],
        title="feeds",
        columns=_COLUMNS,
        as_json=as_json,
    )
    if not all(checked.sound for checked in checks):
        raise typer.Exit(_DIFFERENT)


def _named(
    settings: Settings, connection: Connection, name: str | None
) -> tuple[list[Agreement], str | None]:
    """Return the agreements to check, and the client if the name is that of a client."""
    agreements = [agreement for agreement in load_agreements(settings).values() if agreement.feed]
    if name is None:
        return agreements, None
    if named := [agreement for agreement in agreements if agreement.feed == name]:
        return named, None
    with connection, connection.cursor() as cursor:
        cursor.execute("select client_id, agreement from share.client where revoked_at is null")
        clients: dict[str, str] = dict(cursor.fetchall())
    if named := [agreement for agreement in agreements if agreement.name == clients.get(name)]:
        return named, name
    if name in clients:
        raise ConfigError(
            f"the client {name} has no feed: its agreement {clients[name]} has none, or is gone"
        )
    with_feed = {agreement.name for agreement in agreements}
    known = sorted(
        {
            *(agreement.feed or "" for agreement in agreements),
            *(client for client, agreed in clients.items() if agreed in with_feed),
        }
    )
    close = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}"
    raise ConfigError(f"there is no feed, and no client of one, with the name {name!r}; {advice}")


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: row[name] and row[name]["persons"] for name in _FINDINGS}
