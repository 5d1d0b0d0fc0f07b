"""Runs the simulated systems: `python -m stubs serve --people 20000 --seed 1 --state DIR`."""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer

from stubs.processes import end_with
from stubs.servers.applications import applications
from stubs.servers.credentials import Credentials, connections
from stubs.servers.hosted_world import SYSTEMS, HostedWorld
from stubs.servers.identity import PATH as IDENTITY_PATH
from stubs.servers.identity import IdentityProvider
from stubs.servers.listening import HOST, PortInUseError, base_urls, bind_sockets, serve_all
from stubs.servers.protocol.certificates import make_tls_files, write_private
from stubs.servers.protocol.signed_responses import AnswerSigner
from stubs.world import World

MUTUAL_TLS = ("banking",)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """The simulated national systems."""


@app.command()
def serve(
    *,
    state: Annotated[Path, typer.Option(help="Folder for the connection files and certificates.")],
    people: Annotated[int, typer.Option(min=500, help="People in the register.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same world.")] = 1,
    port_base: Annotated[int, typer.Option(min=0, max=65_529, help="First of six ports; 0: free ones.")] = 0,
    parent: Annotated[int | None, typer.Option(help="Exit when the process of this id is gone.")] = None,
    calm: Annotated[bool, typer.Option("--calm", help="No truncated page, no 429 unless asked for.")] = False,
    listen: Annotated[str, typer.Option(help="Address to listen on; in a container 0.0.0.0.")] = HOST,
    name: Annotated[
        str, typer.Option(help="Host name in the URLs; unless it is loopback, all speak TLS.")
    ] = HOST,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the credentials and keys of an earlier start in the folder.")
    ] = False,
) -> None:
    """Serves the five systems and their control until SIGTERM or SIGINT."""
    if parent is not None:
        end_with(parent)
    state = state.absolute()
    ready_files = state / "connections.json", state / "control.json"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in ready_files:
            file.unlink(missing_ok=True)
        sockets = bind_sockets((*SYSTEMS, "control"), port_base, host=listen)
        tls = make_tls_files(state / "tls", host=name, keep=keep)
        signer = AnswerSigner(state / "tls", state / "jws-private.pem" if keep else None)
        credentials = Credentials.kept_in(state / "credentials.json") if keep else Credentials()
    except (OSError, PortInUseError) as problem:
        _fail(str(problem))
    typer.echo(f"stubs: making a world of {people} people", err=True)
    world = HostedWorld(World.generate(people, seed))
    # Off this machine, the hub sends no credentials without TLS.
    tls_files = dict.fromkeys(MUTUAL_TLS if name == HOST else SYSTEMS, tls)
    urls = base_urls(sockets, tls=tls_files, host=name)
    issuer = urls["portal"] + IDENTITY_PATH
    kept, providers = state / "identity-private.pem", state / "identity_providers"
    identity = IdentityProvider.kept_in(kept, issuer) if keep else IdentityProvider(issuer)

    def announce() -> None:
        identity.describe(providers, "vneid")
        write_private(ready_files[0], orjson.dumps(connections(urls, credentials, tls, signer.public_key)))
        control = {"url": urls["control"], "token": credentials.control}
        write_private(ready_files[1], orjson.dumps(control | {"identity_providers": str(providers)}))
        typer.echo(f"stubs: ready, {people} people, connections in {ready_files[0]}")

    apps = applications(world, credentials, signer, identity, calm=calm)
    try:
        asyncio.run(serve_all(apps, sockets, tls_files, mutual=MUTUAL_TLS, when_ready=announce))
    except ExceptionGroup as problems:
        unwritten = problems.subgroup(OSError)
        if unwritten is None:
            raise
        _fail(str(unwritten.exceptions[0]))


def _fail(problem: str) -> NoReturn:
    typer.echo(f"stubs: {problem}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
