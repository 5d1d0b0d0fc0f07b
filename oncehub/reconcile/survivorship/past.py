"""A person's past: what was believed at any moment, and what was true on any day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from oncehub.errors import ConfigError
from oncehub.reconcile.rules.rulebook import Rulebook, load_rulebook
from oncehub.reconcile.survivorship.history import Belief, beliefs_in, versions_of
from oncehub.reconcile.survivorship.timeline import Period, former_numbers, periods_of
from oncehub.settings import Settings
from oncehub.store.connection import Connection
from oncehub.store.migrate import opened


@dataclass(frozen=True)
class Past:
    """One attribute's past, oldest first.

    Attributes:
        beliefs: what was believed, and when.
        periods: what was true, and when, as far as it was believed at the moment that is asked for.
    """

    beliefs: tuple[Belief, ...]
    periods: tuple[Period, ...]


@dataclass(frozen=True)
class History:
    """A person's past.

    Attributes:
        believed_at: the moment whose belief is told; None: now, with all that was believed before.
        true_on: the day that `periods` are told of; None: all days.
        attributes: of which something was ever believed then, in the order of the schema.
    """

    person_key: UUID
    believed_at: datetime | None
    true_on: date | None
    attributes: Mapping[str, Past]


def history(
    settings: Settings,
    person: UUID,
    attributes: Sequence[str] = (),
    *,
    believed_at: datetime | None = None,
    true_on: date | None = None,
    database: Connection | None = None,
) -> History:
    """Tell a person's past; see `history_of`.

    Raises:
        ConfigError: when there is no such attribute, or nobody of that key was ever believed in.
    """
    rules = load_rulebook(settings)
    with opened(settings, database) as connection, connection:
        return history_of(connection, rules, person, attributes, believed_at=believed_at, true_on=true_on)


def history_of(
    connection: Connection,
    rules: Rulebook,
    person: UUID,
    attributes: Sequence[str] = (),
    *,
    believed_at: datetime | None = None,
    true_on: date | None = None,
) -> History:
    """Tell what was believed of a person at a moment, and what was believed then to be true on a day.

    Args:
        connection: one that may read `truth`, and `record.former_identifier`.
        rules: they say what a person has for life.
        person: their key.
        attributes: those to tell of; all unless given.
        believed_at: only what was believed at this moment; unless given, everything that ever was, and what
            is believed now to be true.
        true_on: only what was true on this day, by Vietnam's calendar; unless given, on any.

    Raises:
        ConfigError: when there is no such attribute, or nobody of that key was ever believed in.
    """
    wanted = rules.named(attributes)
    ever = versions_of(connection, [person], rules.decryptor).get(person)
    if ever is None:
        raise ConfigError(
            "nobody of that key was ever believed in; keys are as `oncehub link show` tells them"
        )
    moment = believed_at or datetime.now(UTC)
    versions = [version for version in ever if version.believed_from <= moment]
    former = former_numbers(connection, [person], moment).get(person, [])
    told = {}
    for name in wanted:
        beliefs = beliefs_in(versions, name)
        periods = periods_of(rules, versions, name, former)
        told[name] = Past(
            tuple(each for each in beliefs if believed_at is None or each.held_at(believed_at)),
            tuple(each for each in periods if true_on is None or each.covers(true_on)),
        )
    return History(
        person,
        believed_at,
        true_on,
        {name: past for name, past in told.items() if past.beliefs or past.periods},
    )
