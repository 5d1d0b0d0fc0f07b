"""`oncehub identity`: the keys of the identity providers that prove citizens and officers."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import Annotated, Any

import typer

from oncehub.cli.options import DAY, Json
from oncehub.cli.output import show
from oncehub.clock import VIETNAM
from oncehub.settings import load_settings
from oncehub.share.identity.pinning import end, find_provider, pin, published_keys
from oncehub.share.identity.providers import SigningKey, load_providers

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the provider: its file in mappings/identity_providers.")]
Thumbprint = Annotated[str, typer.Argument(help="Thumbprint of the key (RFC 7638).")]
Source = Annotated[
    str | None,
    typer.Option(
        help="URL or file of the provider's JWK Set; where its discovery document says unless given."
    ),
]

_COLUMNS = ("provider", "thumbprint", "kid", "algorithms", "from", "until", "state")
_PUBLISHED = ("thumbprint", "kid", "kind", "state")
_UNPINNED = 1


@app.command("keys")
def keys(
    name: Annotated[str | None, typer.Argument(help="Name of one provider; all unless given.")] = None,
    as_json: Json = False,
) -> None:
    """List the pinned keys and their days. The API reads changes while it serves."""
    settings = load_settings()
    providers = load_providers(settings).values() if name is None else [find_provider(settings, name)]
    rows = [_row(each.document.name, key) for each in providers for key in each.keys]
    show(rows, title="keys of identity providers", columns=_COLUMNS, as_json=as_json)


@app.command("published")
def published(name: Name, source: Source = None, as_json: Json = False) -> None:
    """List the keys that a provider publishes now, and which are pinned; status 1 if one is not."""
    found = published_keys(find_provider(load_settings(), name), source)
    rows = [
        {
            "thumbprint": each.thumbprint or "-",
            "kid": each.kid,
            "kind": each.kind,
            "state": each.fault or (_days(each.days) if each.days else "not pinned"),
        }
        for each in found
    ]
    show(rows, title=f"keys that {name} publishes", columns=_PUBLISHED, as_json=as_json)
    if any(each.days is None and each.fault is None for each in found):
        raise typer.Exit(_UNPINNED)


@app.command("pin")
def pin_(
    name: Name,
    thumbprint: Thumbprint,
    *,
    until: Annotated[datetime, typer.Option(formats=DAY, help="Last day on which it signs.")],
    since: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="First day; today unless given.")
    ] = None,
    source: Source = None,
) -> None:
    """Pin a key that the provider publishes; compare its thumbprint with what the provider says elsewhere."""
    first = since.date() if since else _today()
    file = pin(load_settings(), name, thumbprint, (first, until.date()), source)
    sys.stdout.write(f"{file.name} is pinned, {_days((first, until.date()))}\n")


@app.command("end")
def end_(
    name: Name,
    thumbprint: Thumbprint,
    *,
    until: Annotated[datetime, typer.Option(formats=DAY, help="Last day on which it signs.")],
) -> None:
    """Let a key end: afterwards it proves nobody, and `oncehub consent verify` names what it proved later."""
    end(load_settings(), name, thumbprint, until.date())
    sys.stdout.write(f"the key ends on {until.date()}\n")


def _row(provider: str, key: SigningKey) -> dict[str, Any]:
    first, last = key.days
    today = _today()
    state = "signs" if key.valid(today) else "ended" if last < today else "not yet"
    return {
        "provider": provider,
        "thumbprint": key.thumbprint,
        "kid": key.kid,
        "algorithms": " ".join(key.algorithms),
        "from": first.isoformat(),
        "until": last.isoformat(),
        "state": state,
    }


def _days(days: tuple[date, date]) -> str:
    return f"{days[0]} to {days[1]}"


def _today() -> date:
    return datetime.now(VIETNAM).date()
