"""Why a record is linked to whom it is, or to nobody, in the eyes of the active model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extras import RealDictCursor

from oncehub.errors import ConfigError
from oncehub.reconcile.linking.identifiers import single_out
from oncehub.reconcile.matching.evidence import Candidate
from oncehub.reconcile.matching.judging import Judge
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened

_STANDING: Final = """
select person_key::text, method, probability
from truth.link
where (source, stream, source_key) = (%s, %s, %s)
"""


@dataclass(frozen=True)
class Explanation:
    """How a record stands, and what the active model makes of it now.

    Attributes:
        model: number of the active model.
        link: `person_key`, `method` and `probability` of the record's link; None when it has none.
        candidates: people who share a blocking key with it, the most probable first, ten at most.
    """

    model: int
    link: Mapping[str, Any] | None
    candidates: list[Candidate]


def explain(
    settings: Settings, source: str, stream: str, source_key: str, database: Connection | None = None
) -> Explanation:
    """Weigh a record against the people it may speak of; what an identifier says of it is left aside.

    Raises:
        ConfigError: when no model is active, or no live record has that key.
    """
    rules = load_rulebook(settings)
    with opened(settings, database) as connection, connection.cursor() as cursor:
        judge = Judge.appointed(cursor, rules)
        if judge is None:
            raise ConfigError("no matching model is active; `oncehub match train --use` trains one")
        try:
            if not single_out(cursor, rules, source, stream, source_key):
                raise ConfigError(
                    f"{source}.{stream} has no live record of that key; keys are as the source gives them"
                )
            candidates = judge.weigh(cursor)
        finally:
            connection.rollback()
        with connection, connection.cursor(cursor_factory=RealDictCursor) as reading:
            reading.execute(_STANDING, (source, stream, source_key))
            link = reading.fetchone()
    return Explanation(judge.model.model_id, dict(link) if link else None, candidates)
