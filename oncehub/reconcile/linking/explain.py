"""Explains a record's link: how the active matching model compares it with the people it may describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oncehub.errors import ConfigError
from oncehub.reconcile.linking.identifiers import single_out
from oncehub.reconcile.linking.overrides import RecordKey, link_state_of, require_record
from oncehub.reconcile.matching.evidence import MatchCandidate
from oncehub.reconcile.matching.matcher import Matcher
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened


@dataclass(frozen=True)
class LinkExplanation:
    """A record's link, and how the active model compares the record with people now.

    Attributes:
        model: number of the active model.
        link: as in `LinkState`.
        candidates: people who share a blocking key with it, the most probable first, ten at most.
    """

    model: int
    link: Mapping[str, Any] | None
    candidates: list[MatchCandidate]


def explain_link(
    settings: Settings, source: str, stream: str, source_key: str, database: Connection | None = None
) -> LinkExplanation:
    """Compare a record with the people it may describe by the active model; identifiers do not count here.

    Raises:
        ConfigError: No model is active, or there is no live record of that key.
    """
    rules, record = load_rulebook(settings), RecordKey(source, stream, source_key)
    with opened(settings, database) as connection, connection.cursor() as cursor:
        matcher = Matcher.active(cursor, rules)
        if matcher is None:
            raise ConfigError("no matching model is active; `oncehub match train --use` trains one")
        require_record(cursor, record)
        link = link_state_of(settings, record, connection).link
        try:
            single_out(cursor, rules, source, stream, source_key)
            candidates = matcher.compare(cursor)
        finally:
            connection.rollback()
    return LinkExplanation(matcher.model.model_id, link, candidates)
