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
from stubs.servers.listening import PortInUseError, base_urls, bind_sockets, serve_all
from stubs.servers.protocol.certificates import make_tls_files, write_private
from stubs.servers.protocol.signed_responses import AnswerSigner
from stubs.world import World

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
) -> None:
    """Serves the five systems and their control on 127.0.0.1 until SIGTERM or SIGINT."""
    if parent is not None:
        end_with(parent)
    state = state.absolute()
    ready_files = state / "connections.json", state / "control.json"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in ready_files:
            file.unlink(missing_ok=True)
        sockets = bind_sockets((*SYSTEMS, "control"), port_base)
        tls = make_tls_files(state / "tls")
        signer = AnswerSigner(state / "tls")
    except (OSError, PortInUseError) as problem:
        _fail(str(problem))
    typer.echo(f"stubs: making a world of {people} people", err=True)
    world = HostedWorld(World.generate(people, seed))
    credentials = Credentials()
    urls = base_urls(sockets, tls="banking")

    def announce() -> None:
        write_private(ready_files[0], orjson.dumps(connections(urls, credentials, tls, signer.public_key)))
        write_private(ready_files[1], orjson.dumps({"url": urls["control"], "token": credentials.control}))
        typer.echo(f"stubs: ready, {people} people, connections in {ready_files[0]}")

    apps = applications(world, credentials, signer, calm=calm)
    try:
        asyncio.run(serve_all(apps, sockets, {"banking": tls}, when_ready=announce))
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
