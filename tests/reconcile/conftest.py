"""A hub whose records are put in place directly, as a landing would leave them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql
from psycopg2.extensions import make_dsn
from psycopg2.extras import Json, RealDictCursor

from oncehub.reconcile.run import ReconcileReport, reconcile
from oncehub.reconcile.run_balance import CountMismatch, recount
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from oncehub.store.history import continue_history

ROOT = Path(__file__).resolve().parents[2]

STREAMS = {
    "population": "citizens",
    "portal": "accounts",
    "tax": "registrations",
    "customs": "declarants",
    "banking": "accounts",
}

_KEYS = ("source", "stream", "source_key")

_MARK = "insert into intake.dirty (source, stream, source_key) values (%s, %s, %s)"

_INSERT_ONLY = ("link_override", "decision", "merge_decision")
_DECIDED = (
    "truth.link_override",
    "truth.merged_person",
    "truth.merge_decision",
    "truth.decision",
    "truth.case_file",
    "truth.discrepancy",
    "truth.unlinked",
    "truth.pending",
    "truth.blocking_key",
    "truth.blocked_record",
    "truth.match_candidate",
    "truth.oversized_block",
    "truth.link",
    "truth.identifier",
    "truth.person_version",
    "truth.person",
    "share.change",
    "intake.dirty",
    "truth.run_balance_entry",
    "truth.run_balance",
    "truth.run_landing",
    "truth.run_transaction",
    "truth.run",
    "truth.rules",
)
_STATED = ("record.person", "record.former_identifier")

# Copied from mappings/ or trained: no record adds to them. A queue holds nothing but what changed, and the
# books a few lines a run.
_RULES = ("unit_successor", "severity_rule", "case_rule", "match_model")
_QUEUES = ("pending", "run_balance_entry")
_BOOKS = ("run", "run_balance", "run_landing", "run_transaction", "rules")

_READ_WHOLE = """
select relname, seq_tup_read from pg_stat_user_tables
where schemaname in ('record', 'truth') and relname <> all(%s)
"""

# What a run leaves behind that does not depend on when it ran.
_OUTCOME = {
    "people": "select to_jsonb(p) - 'believed_from' as told from truth.person p order by person_key",
    "identifiers": "select to_jsonb(i) as told from truth.identifier i order by scheme, value, person_key",
    "links": "select to_jsonb(k) - 'linked_at' as told from truth.link k order by source, stream, source_key",
    "unlinked": (
        "select to_jsonb(u) - 'since' as told from truth.unlinked u order by source, stream, source_key"
    ),
    "discrepancies": (
        "select to_jsonb(d) - '{discrepancy_id,opened_at,closed_at,changed_in}'::text[] as told "
        "from truth.discrepancy d where closed_at is null "
        "order by source, stream, source_key, attribute, person_key"
    ),
    "cases": (
        "select to_jsonb(c) - '{case_id,opened_at,closed_at}'::text[] as told from truth.case_file c "
        "where closed_at is null order by source, stream, source_key"
    ),
}


@dataclass(frozen=True)
class Hub:
    """A migrated hub, and short ways to put records into it and to look at what is believed."""

    settings: Settings
    database: Connection

    def state(self, source: str, key: str, day: int = 0, **attributes: Any) -> None:
        """Land what a source states on a day (counted from 2026-01-01); a person `former` numbers too."""
        former = attributes.pop("former", ())
        row = {
            "source": source,
            "stream": STREAMS[source],
            "source_key": key,
            "stated_at": moment(day),
            "deleted_at": None,
            **attributes,
        }
        self._upsert("person", _KEYS, row)
        for number in former:
            self._upsert(
                "former_identifier",
                (*_KEYS, "personal_id"),
                {name: row[name] for name in (*_KEYS, "stated_at", "deleted_at")} | {"personal_id": number},
            )
        self.mark(source, key)

    def delete(self, source: str, key: str) -> None:
        """Land a deletion."""
        for table in ("person", "former_identifier"):
            self.execute(
                sql.SQL(
                    "update record.{} set deleted_at = now() where (source, source_key) = (%s, %s)"
                ).format(sql.Identifier(table)),
                source,
                key,
            )
        self.mark(source, key)

    def reconcile(self) -> ReconcileReport:
        """Run once."""
        return reconcile(self.settings, self.database)

    def execute(self, statement: str | sql.Composable, *values: Any) -> None:
        """Run and commit a statement."""
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries."""
        with self.database, self.database.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(query, values)
            return [dict(row) for row in cursor.fetchall()]

    def row(self, query: str, *values: Any) -> dict[str, Any]:
        """Return the only row of a query."""
        (only,) = self.rows(query, *values)
        return only

    def person(self, key: str) -> dict[str, Any]:
        """Return what is believed of the person whom this register record founds."""
        return self.row(
            "select * from truth.person where person_key = truth.person_key('population', 'citizens', %s)",
            key,
        )

    def links(self) -> dict[tuple[str, str], str]:
        """Return the method by which each record of another source than the register is linked."""
        found = self.rows("select source, source_key, method from truth.link where method <> 'register'")
        return {(row["source"], row["source_key"]): row["method"] for row in found}

    def open(self) -> dict[tuple[str, str, str], str]:
        """Return the kind of every open discrepancy by source, key and attribute."""
        found = self.rows(
            "select source, source_key, attribute, kind from truth.discrepancy where closed_at is null"
        )
        return {(row["source"], row["source_key"], row["attribute"]): row["kind"] for row in found}

    def changes(self) -> list[tuple[str, list[str]]]:
        """Return the outbox, oldest first."""
        found = self.rows("select kind, attributes from share.change order by change_id")
        return [(row["kind"], row["attributes"]) for row in found]

    def outcome(self) -> dict[str, list[Any]]:
        """Return everything that a run decides, times of running aside."""
        return {name: [row["told"] for row in self.rows(query)] for name, query in _OUTCOME.items()}

    def waits(self, connection: Connection) -> bool:
        """Tell whether a connection waits for another's lock."""
        asked = "select from pg_locks where not granted and pid = %s"
        return bool(self.rows(asked, connection.info.backend_pid))

    def recount(self) -> list[CountMismatch]:
        """Return where the books and the tables differ."""
        with self.database, self.database.cursor() as cursor:
            return recount(cursor)

    def read_whole(self) -> dict[str, int]:
        """Return how many rows of each table of records and of truth were ever read from end to end."""
        self.execute("select pg_stat_force_next_flush()")
        found = self.rows(_READ_WHOLE, [*_RULES, *_QUEUES, *_BOOKS])
        return {row["relname"]: row["seq_tup_read"] for row in found}

    def rule(self, source: str, key: str, verdict: str, person: str) -> None:
        """Have a clerk rule that a record is the `same` as, or `different` from, a person of the register."""
        self.execute(
            "insert into truth.link_override "
            "(source, stream, source_key, person_key, verdict, reason, decided_by) "
            "values (%s, %s, %s, truth.person_key('population', 'citizens', %s), %s, 'seen', 'clerk')",
            *(source, STREAMS[source], key, person, verdict),
        )

    def forget(self, *, records: bool = True) -> None:
        """Empty what was decided and, unless told otherwise, the records too."""
        # On tables of a few rows far quicker than truncate. The tests' decisions go the way they came.
        self._let_go("disable")
        for table in (*_DECIDED, *(_STATED if records else ())):
            self.execute(sql.SQL("delete from {}").format(sql.Identifier(*table.split("."))))
        self._let_go("enable")

    def _let_go(self, change: str) -> None:
        for table in _INSERT_ONLY:
            statement = sql.SQL("alter table truth.{table} {change} trigger {trigger}")
            trigger = sql.Identifier(f"{table}_insert_only")
            self.execute(
                statement.format(table=sql.Identifier(table), change=sql.SQL(change), trigger=trigger)
            )

    def mark(self, source: str, key: str) -> None:
        """Mark a record dirty."""
        self.execute(_MARK, source, STREAMS[source], key)

    def _upsert(self, table: str, keys: tuple[str, ...], row: dict[str, Any]) -> None:
        others = [name for name in row if name not in keys]
        statement = sql.SQL(
            "insert into record.{table} ({names}) values ({values}) on conflict ({keys}) do update set {sets}"
        ).format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, row)),
            values=sql.SQL(", ").join([sql.Placeholder()] * len(row)),
            keys=sql.SQL(", ").join(map(sql.Identifier, keys)),
            sets=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
            ),
        )
        self.execute(
            statement, *(Json(value) if isinstance(value, dict) else value for value in row.values())
        )


def moment(day: int) -> datetime:
    """The time at which something is stated on a day counted from 2026-01-01."""
    return datetime(2026, 1, 1, 3, tzinfo=UTC) + timedelta(days=day)


@pytest.fixture(scope="session")
def new_hub(postgres: str, data_keys: Path) -> Iterator[Callable[[str], Hub]]:
    """Makes hubs over databases of their own: `new_hub(name)`."""
    with ExitStack() as kept:

        def make(name: str) -> Hub:
            server = make_dsn(postgres, dbname="postgres")
            with closing(connect(server)) as administrator, administrator.cursor() as cursor:
                administrator.rollback()
                administrator.autocommit = True
                statement = sql.SQL("create database {} template migrated strategy file_copy")
                cursor.execute(statement.format(sql.Identifier(name)))
            url = make_dsn(postgres, dbname=name)
            with closing(connect(url)) as copy, copy, copy.cursor() as cursor:
                continue_history(cursor, "tests", "a copy of the template")
            settings = Settings(ROOT, home=data_keys.parent, database_url=url)
            made = Hub(settings, kept.enter_context(closing(connect(url))))
            for source in STREAMS:
                made.execute("select record.attach_source(%s)", source)
            return made

        yield make


@pytest.fixture(scope="session")
def own_hub(new_hub: Callable[[str], Hub]) -> Hub:
    """One hub for all tests of this step: emptying it is much quicker than cloning a database."""
    return new_hub("reconciled")


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    """A hub with a partition for each of the five sources, and no records."""
    own_hub.forget()
    return own_hub
