"""Tables and views of databases: what lands is exact, however the read is interrupted and rows are late."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from psycopg2 import sql
from typer.testing import CliRunner

from oncehub.cli.app import app
from oncehub.config.connection import Connection
from oncehub.conformance.hub import Hub
from oncehub.connect.source import Source
from oncehub.connect.sql import table
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable
from oncehub.intake.completeness.audit import AuditReport
from oncehub.intake.sync import audit_source

from .people import NOW, START, People
from .test_gallery import COUNT, Killed, Standard, as_root

PASSWORD = "Mật khẩu 1"
COLUMNS = "so_dinh_danh text, ho_ten text, ngay_sinh {date}, cap_nhat {time}, da_xoa boolean"


class Tables:
    """The people of a gallery in a table, and a view of it."""

    def __init__(self, people: People, execute: Callable[..., Any], mark: str) -> None:
        self._people = people
        self.execute = execute
        self._mark = mark

    def write(self) -> None:
        """Make the table hold what is stated of everybody."""
        self.execute("delete from nguoi")
        for each in self._people.all.values():
            modified: Any = (
                each.modified if self._mark == "%s" else each.modified.strftime("%Y-%m-%d %H:%M:%S")
            )
            values = (each.personal_id, each.name, each.birth, modified, each.deleted)
            self.execute(f"insert into nguoi values ({', '.join([self._mark] * 5)})", values)


@pytest.fixture
def tables(
    tmp_path: Path,
    hubs_over: Callable[[Path], list[Hub]],
    postgres: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Standard]:
    monkeypatch.setattr(table, "SLICE_RECORDS", 5)
    people = People(COUNT)
    hub, _ = hubs_over(as_root("sql", tmp_path / "root"))
    hub.empty()
    if request.param == "sqlite":
        path = tmp_path / "cong dan.sqlite"
        connector = tmp_path / "root/connectors/sql/connector.yaml"
        told = (
            connector.read_text("utf-8")
            .replace("cong_dan.v_nguoi", "v_nguoi")
            .replace("equals: true", "equals: 1")
        )
        told = told.replace("field: cap_nhat", 'field: cap_nhat\n      format: "%Y-%m-%d %H:%M:%S"')
        connector.write_text(told, "utf-8")
        contract = tmp_path / "root/schemas/sources/sql/people.json"
        contract.write_text(contract.read_text("utf-8").replace('"boolean"', '"integer"'), "utf-8")
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(f"create table nguoi ({COLUMNS.format(date='date', time='datetime')})")
            database.execute("create view v_nguoi as select * from nguoi")
            rows = Tables(people, database.execute, "?")
            rows.write()
            yield Standard("sql", people, Connection(f"sqlite:///{path}"), hub, rows)
        return
    database, _, query = postgres.partition("?")
    name = f"source_{tmp_path.name.replace('-', '_')[:40].lower()}"
    with closing(psycopg2.connect(postgres)) as server:
        server.autocommit = True
        cursor = server.cursor()
        cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        cursor.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(name), sql.Literal(PASSWORD))
        )
        own = f"{database.rpartition('/')[0]}/{name}?{query}"
        with closing(psycopg2.connect(own)) as source:
            source.autocommit = True
            writing = source.cursor()
            writing.execute("create schema cong_dan")
            writing.execute("set search_path = cong_dan")
            writing.execute(f"create table nguoi ({COLUMNS.format(date='date', time='timestamptz')})")
            writing.execute("create view v_nguoi as select * from nguoi")
            for what in ("usage on schema cong_dan", "select on all tables in schema cong_dan"):
                writing.execute(sql.SQL(f"grant {what} to {{}}").format(sql.Identifier(name)))
            rows = Tables(people, writing.execute, "%s")
            rows.write()
            url = sa.make_url(own.replace("postgres://", "postgresql://"))
            host = url._replace(username=None, password=None).render_as_string()
            yield Standard("sql", people, Connection(host, login=name, password=PASSWORD), hub, rows)
        cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


both = pytest.mark.parametrize("tables", ["postgresql", "sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("tables", ["postgresql"], indirect=True)


@both
def test_first_sync_changes_deletion_and_resumption_are_exact(tables: Standard) -> None:
    with pytest.raises(Killed):
        tables.sync(after_pages=2)
    assert 0 < len(tables.facts()) < COUNT
    first = tables.sync()
    assert (first.read, first.total) == (COUNT, COUNT)
    assert tables.facts() == tables.people.facts()
    tables.people.now = NOW + timedelta(hours=1)
    tables.people.add(7)
    tables.people.rename(3, "Trần")
    tables.people.remove(7)
    tables.extra.write()
    with pytest.raises(Killed):
        tables.sync(after_pages=1, days=1)
    second = tables.sync(days=1)
    assert tables.facts() == tables.people.facts()
    assert second.mode == "changes"
    assert second.read < COUNT


@both
def test_the_suite_finds_no_fault(tables: Standard, hubs_over: Callable[[Path], list[Hub]]) -> None:
    said = tables.tried(hubs_over(tables.hub.settings.root))
    assert said["passed"].keys() >= {
        "reads",
        "agreement",
        "twice",
        "deletes",
        "resumes",
        "since",
        "killed",
        "quiet",
    }


@both
def test_rows_of_one_time_are_all_read_wherever_a_page_ends(tables: Standard) -> None:
    tables.extra.execute("update nguoi set cap_nhat = (select max(cap_nhat) from nguoi)")
    with pytest.raises(Killed):
        tables.sync(after_pages=1)
    tables.sync()
    tables.extra.execute("update nguoi set ho_ten = 'Lê ' || ho_ten")
    with pytest.raises(Killed):
        tables.sync(after_pages=2, days=1)
    tables.sync(days=1)
    assert {name[:3] for name, _ in tables.facts()} == {"Lê "}
    assert len(tables.facts()) == COUNT


@postgresql
def test_a_row_that_commits_late_with_an_older_time_is_read_within_the_overlap(tables: Standard) -> None:
    tables.sync()
    tables.people.now -= timedelta(hours=2, minutes=50)
    tables.people.add(1)
    tables.extra.write()
    tables.sync(days=1)
    assert tables.facts() == tables.people.facts()


@both
def test_rows_without_key_are_not_lost_but_rejected(tables: Standard) -> None:
    tables.extra.execute("update nguoi set so_dinh_danh = null where so_dinh_danh like '%00003'")
    with pytest.raises(Killed):
        tables.sync(after_pages=3)
    report = tables.sync()
    assert (report.read, report.quarantined) == (COUNT, 1)
    assert len(tables.facts()) == COUNT - 1


@both
def test_names_are_never_a_part_of_a_statement_and_nothing_is_written(tables: Standard) -> None:
    spec = tables.connector.streams["people"]
    for change in (
        {"table": "nguoi; drop table nguoi"},
        {"table": 'nguoi" where 1=0 --'},
        {"take": ("so_dinh_danh", "(select 1) as x")},
    ):
        read = spec.read.model_copy(update=change)
        streams = {"people": spec.model_copy(update={"read": read})}
        connector = tables.connector.model_copy(update={"streams": streams})
        with (
            Source(connector, tables.connection) as source,
            pytest.raises(ContractBroken, match=r"shows no such table or view|has no column '\(select"),
        ):
            list(source.pages("people", Window(None, None)))
    with Source(tables.connector, tables.connection) as source:
        assert source._database is not None
        with (
            pytest.raises((SourceUnavailable, ContractBroken)),
            source._database.reading("sql.people") as connection,
        ):
            connection.exec_driver_sql("create table x (a int)")


@postgresql
def test_errors_name_neither_credentials_nor_values(tables: Standard) -> None:
    wrong = Connection(tables.connection.host, login="0912345678", password="Sai")
    with Source(tables.connector, wrong) as source, pytest.raises(AuthenticationError) as caught:
        list(source.pages("people", Window(None, None)))
    assert str(caught.value) == "sql.people: the database refuses the login"
    nowhere = Connection("postgresql://127.0.0.1:1/x", login="a", password="b")
    with (
        Source(tables.connector, nowhere) as source,
        pytest.raises(SourceUnavailable, match=r"does not answer \(OperationalError\); check host"),
    ):
        list(source.pages("people", Window(None, None)))
    for host, told in (
        ("postgresql://a:b@127.0.0.1/x", "give login and password apart from host"),
        ("không phải", "host is no address of a database"),
        ("mssql+pyodbc://h/x", "no driver for mssql is installed"),
    ):
        with pytest.raises(ConfigError, match=told):
            Source(tables.connector, Connection(host))


@postgresql
def test_one_read_sees_one_state_of_the_table(tables: Standard) -> None:
    with Source(tables.connector, tables.connection) as source:
        pages = source.pages("people", Window(None, None))
        read = list(next(pages).records)
        tables.extra.execute("delete from nguoi")
        for page in pages:
            read += page.records
    assert len(read) == COUNT
    assert START.isoformat() < max(record["cap_nhat"] for record in read)


@both
def test_an_audit_finds_what_no_change_told_and_the_status_shows_it(
    tables: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audited() -> AuditReport:
        [report] = audit_source(
            tables.hub.settings, tables.connector, tables.connection, clock=lambda: NOW + timedelta(days=1)
        )
        return report

    tables.sync()
    whole = audited()
    assert (whole.listed, whole.landed, whole.declared, whole.complete) == (COUNT, COUNT, COUNT, True)
    tables.people.now = START
    # Committed long after its time, and gone without a mark: the changes tell of neither.
    tables.people.add(1)
    late = tables.people.all[COUNT + 1].personal_id
    gone = tables.people.all.pop(5).personal_id
    tables.extra.write()
    tables.sync(days=1)
    found = audited()
    assert (found.listed, found.landed) == (COUNT, COUNT)
    assert (found.missing, found.outdated, found.superfluous) == (1, 0, 1)
    assert found.keys == {"missing": [late], "outdated": [], "superfluous": [gone]}
    assert late not in repr(found)
    monkeypatch.setattr("oncehub.cli.status.load_settings", lambda: tables.hub.settings)
    shown = CliRunner().invoke(app, ["status"], env={"COLUMNS": "200"})
    assert "the audit found 1 missing, 0 outdated and 1 superfluous records" in shown.output
    assert late not in shown.output
    assert shown.exit_code == 1


sqlite = pytest.mark.parametrize("tables", ["sqlite"], indirect=True)


@sqlite
@pytest.mark.parametrize("declares", [True, False])
def test_an_audit_is_not_complete_where_a_repeated_row_stands_for_a_skipped_one(
    tables: Standard, declares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Source.pages

    def unordered(self: Source, *given: Any) -> Iterator[Any]:
        first: Any = None
        for page in pages(self, *given):
            first = first or page.records[0]
            # Without a declared number, a record that is listed twice by design looks the same.
            rows = [first, *page.records[1:]] if page.number == 2 else page.records
            yield replace(page, records=rows, total=page.total if declares else None)

    monkeypatch.setattr(Source, "pages", unordered)
    tables.sync()
    [report] = audit_source(tables.hub.settings, tables.connector, tables.connection, clock=lambda: NOW)
    assert (report.listed, report.landed) == (COUNT - 1, COUNT - 1)
    assert (report.unlisted, report.missing) == ((1, 1) if declares else (0, 0))
    assert report.complete is not declares


@sqlite
def test_an_audit_counts_rows_without_a_key(tables: Standard) -> None:
    tables.extra.execute("update nguoi set so_dinh_danh = null where so_dinh_danh like '%00003'")
    tables.sync()
    [report] = audit_source(tables.hub.settings, tables.connector, tables.connection, clock=lambda: NOW)
    assert (report.declared, report.landed, report.rejected) == (COUNT, COUNT - 1, 1)
    assert (report.keyless, report.unlisted, report.missing, report.complete) == (1, 0, 1, False)
