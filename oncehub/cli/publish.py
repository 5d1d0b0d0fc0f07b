"""`oncehub publish`: publishes changes to feeds and correction notices."""

from __future__ import annotations

from typing import Annotated

import typer

from oncehub.cli.options import Json
from oncehub.cli.output import show
from oncehub.settings import Settings, load_settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.corrections.publish_notices import (
    PREFIX,
    corrected_sources,
    feed_name,
    publish_corrections,
)
from oncehub.share.delivery.gap_free_sequence import PublishReport
from oncehub.share.feeds.entries import publish as publish_feed


def publish(
    feeds: Annotated[
        list[str] | None,
        typer.Argument(help="Feeds, or corrections.SOURCE; all feeds and sources unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Publish changes to feeds and correction notices."""
    settings = load_settings()
    reports = [_published(settings, name) for name in feeds or _names(settings)]
    show(reports, title="published", columns=("feed", "changes", "last_sequence", "seconds"), as_json=as_json)


def _names(settings: Settings) -> list[str]:
    feeds = [agreement.feed for agreement in load_agreements(settings).values() if agreement.feed]
    return feeds + [feed_name(source) for source in corrected_sources(settings)]


def _published(settings: Settings, name: str) -> PublishReport:
    if name.startswith(PREFIX):
        return publish_corrections(settings, name.removeprefix(PREFIX))
    return publish_feed(settings, name)
