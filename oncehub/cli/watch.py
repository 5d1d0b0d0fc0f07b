"""`oncehub watch`: looks at the hub from outside Airflow, and tells people what needs them."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import nullcontext
from datetime import timedelta
from typing import Annotated

import typer

from oncehub.errors import ConfigError
from oncehub.extras import needs_extra
from oncehub.settings import load_settings


def watch(
    once: Annotated[
        bool,
        typer.Option("--once", help="Look once, print what is wrong, and end with status 1 if anything is."),
    ] = False,
    notify_test: Annotated[
        bool, typer.Option("--notify-test", help="Send a test notification to ONCEHUB_NOTIFY and end.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address at which figures are served.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port at which /metrics is served; 0 for none.", min=0)] = 9465,
    every: Annotated[float, typer.Option(help="Seconds from look to look.", min=0.1, max=60)] = 60,
) -> None:
    """Watch the hub until stopped, and tell people what needs them.

    It looks once a minute (--every), and tells the addresses of ONCEHUB_NOTIFY what begins, lasts and ends.
    It also ends transactions of the API's login that last longer than 30 seconds.
    """
    settings = load_settings()
    if once:
        from oncehub.cli.status import report_alarms

        raise typer.Exit(report_alarms(settings))
    with needs_extra("watch"):
        from oncehub.store.overlong import OverlongTransactions
        from oncehub.watch.exporter import serve_figures
        from oncehub.watch.guard import guarding
        from oncehub.watch.notifier import ADDRESSES, Notifier
        from oncehub.watch.watchdog import Watchdog

    notifier = Notifier()
    if notify_test:
        if not notifier.addresses:
            raise ConfigError(f"{ADDRESSES} is not set; write the addresses that notifications go to")
        if notifier.send("oncehub test", "Alarms of the hub are sent to this address."):
            raise typer.Exit(1)
        sys.stdout.write(f"sent to {notifier.addresses}\n")
        return
    logging.getLogger("oncehub.watch").setLevel(logging.INFO)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    watchdog = Watchdog(settings, notifier)
    first = watchdog.look()
    serving = serve_figures(host, port, lambda: watchdog.figures) if port else nullcontext()
    with serving, guarding(settings, OverlongTransactions()):
        sys.stdout.write(f"watching; {_recipients(notifier.addresses)}")
        sys.stdout.write(f"; figures at http://{host}:{port}/metrics\n" if port else "\n")
        sys.stdout.write("".join(f"not watched: {each}\n" for each in first.unwatched))
        sys.stdout.flush()
        watchdog.run(stopped, timedelta(seconds=every))


def _recipients(addresses: int) -> str:
    return (
        f"notifications go to {addresses} addresses"
        if addresses
        else "ONCEHUB_NOTIFY is not set: no notifications"
    )
