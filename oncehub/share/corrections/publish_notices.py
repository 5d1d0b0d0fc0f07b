"""Publishes correction notices: appends opened, changed and closed discrepancies to a source's sequence.

A notice holds the source's own value and, within its agreement, the believed value with its source; of
attributes that the agreement lists under `without_value`, only that they differ. It names the person only by
the source's own record, and a notice that the record belongs to another person says nothing of that person.
"""

from __future__ import annotations

from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.agreements.permissions import today
from oncehub.share.agreements.population import population_condition
from oncehub.share.delivery.gap_free_sequence import PATIENCE_SECONDS, PublishReport, Sequence
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

PREFIX = "corrections."

LAST = "select last_sequence from share.correction_feed where source = %(source)s"
"""Gives the number of the last notice to a source."""

_BELOW = "select published_below from share.correction_feed where source = %(source)s"

# A person who leaves the agreement's population closes their discrepancies for it; one who joins opens them.
_INSIDE = "exists (select from truth.person where person.person_key = d.person_key and {covered})"

_OR_MOVED = """or d.closed_at is null and exists (
    select from share.change c
    where c.person_key = d.person_key
        and c.transaction >= f.published_below
        and c.transaction < (select hub.transaction_horizon())
)"""

_WAITING = """
select count(*)
from truth.discrepancy d join share.correction_feed f using (source)
where d.source = %(source)s and d.changed_in >= f.published_below
    and 'person.' || d.attribute = any(f.attributes)
"""


def publish_corrections(
    settings: Settings,
    source: str,
    database: Connection | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> PublishReport:
    """Bring a source's notices up to its open discrepancies; for other errors see `Sequence.publish`.

    Without an agreement in force they stay as they are, and go on from there when there is one.

    Raises:
        ConfigError: when no agreement receives this source's corrections.
    """
    agreement = corrections_agreement(settings, source)
    return notice_sequence(agreement, source).publish(settings, database, patience=patience)


def notice_sequence(agreement: Agreement, source: str) -> Sequence:
    """Return the sequence of the notices to a source, which the agreement receives."""
    withheld = agreement.corrections.without_value if agreement.corrections else ()
    inside, moved = ("true", "") if not agreement.population else (_INSIDE, _OR_MOVED)
    append = statement(__name__, "publish").format(
        is_inside=sql.SQL(inside).format(covered=population_condition(agreement)), or_moved=sql.SQL(moved)
    )
    return Sequence(
        name=feed_name(source),
        prepare=statement(__name__, "prepare"),
        steps=(append, statement(__name__, "approved").format()) if agreement.corrects(today()) else (),
        last=LAST,
        below=_BELOW,
        waiting=_WAITING,
        values={
            "source": source,
            "feed": feed_name(source),
            "attributes": sorted(agreement.noticed()),
            "withheld": sorted(withheld),
        },
    )


def feed_name(source: str) -> str:
    """Return what a source's notices are named as where feeds are named; a feed's own name has no dot."""
    return f"{PREFIX}{source}"


def corrections_agreement(settings: Settings, source: str) -> Agreement:
    """Return the agreement that receives a source's correction notices.

    Raises:
        ConfigError: when there is none.
    """
    receivers = corrected_sources(settings)
    if source not in receivers:
        raise ConfigError(
            f"no agreement has corrections of the source {source!r}; "
            f"there are: {', '.join(receivers) or 'none'}"
        )
    return receivers[source]


def corrected_sources(settings: Settings) -> dict[str, Agreement]:
    """Return the agreement of every source that receives correction notices, by source."""
    return {
        agreement.corrections.source: agreement
        for agreement in load_agreements(settings).values()
        if agreement.corrections
    }
