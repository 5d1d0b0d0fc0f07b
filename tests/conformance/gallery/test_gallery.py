"""The connectors of docs/connectors/gallery against servers of their standards: what lands is exact."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from oncehub.config.catalogue import load_connector
from oncehub.config.connection import Connection
from oncehub.conformance.hub import Hub
from oncehub.conformance.readers import opener_from
from oncehub.conformance.subject import Options
from oncehub.conformance.trial import Trial
from oncehub.connect.source import Source
from oncehub.errors import RequestRefused

from ...connect.serving import Served
from ..conftest import ROOT
from . import graph, searches
from .fhir import Fhir
from .people import NOW, People
from .serving import asgi, wsgi

GALLERY = ROOT / "docs/connectors/gallery"
COUNT = 23


class Killed(BaseException):
    """Stands for the end of the process."""


class Standard:
    """A server of one standard, and the hub that reads it by the committed connector."""

    def __init__(self, name: str, people: People, connection: Connection, hub: Hub, extra: Any) -> None:
        self.people = people
        self.connection = connection
        self.hub = hub
        self.extra = extra
        self.connector = load_connector(hub.settings, name)
        self.stream = next(iter(self.connector.streams))

    def sync(self, *, after_pages: int | None = None, days: int = 0) -> Any:
        """Read as `oncehub sync` does; with `after_pages`, until the process ends there."""

        def listener(report: Any) -> None:
            if after_pages is not None and report.pages >= after_pages:
                raise Killed

        opener = opener_from(lambda: Source(self.connector, self.connection, pause=lambda seconds: None))
        now = NOW + timedelta(days=days)
        return self.hub.read(self.connector, self.stream, opener, now=now, listener=listener)

    def tried(self, hubs: list[Hub]) -> dict[str, dict[str, str]]:
        """Run the conformance suite, in which no case may fail; return what each said, by outcome."""
        scratch, kept = hubs
        trial = Trial(self.connector, (scratch, kept), pause=lambda seconds: None)
        verdicts = trial.of_source(self.connection, Options(page_size=5, boundaries=2, kills=1))
        assert [each for each in verdicts if each.outcome == "failed"] == []
        said: dict[str, dict[str, str]] = {"passed": {}, "not shown": {}}
        for each in verdicts:
            said[each.outcome][each.case] = each.message
        return said

    def facts(self) -> set[tuple[str, str]]:
        """Names and days of birth that the hub holds."""
        rows = self.hub._all(
            "select full_name, birth_date from record.person"
            " where source = %(source)s and deleted_at is null",
            {"source": self.connector.source},
        )
        facts = {(name, str(birth)) for name, birth in rows}
        assert len(facts) == len(rows)
        return facts


def as_root(name: str, root: Path) -> Path:
    """Put one connector of the gallery where a project has it, with pages of five."""
    for folder in ("schemas/canonical", "mappings/codes", "mappings/rules"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(ROOT / folder)
    for kind, place in (("contract.json", "schemas/sources"), ("mapping.yaml", "mappings/sources")):
        for path in (GALLERY / name).glob(f"*.{kind}"):
            stream, _, _ = path.name.partition(".")
            (root / place / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / place / name / f"{stream}.{path.suffix.removeprefix('.')}")
    document = yaml.safe_load((GALLERY / name / "connector.yaml").read_text("utf-8"))
    document["limits"] = {"requests": "1000/s", "burst": 100, "attempts": 2}
    for stream in document["streams"].values():
        for pages in (stream["pages"], stream.get("deletes", {}).get("pages", {})):
            if "size" in pages:
                pages["size"]["value"] = 5
    folder = root / "connectors" / name
    folder.mkdir(parents=True)
    (folder / "connector.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return root


@contextmanager
def served(name: str, people: People) -> Iterator[tuple[Connection, Any]]:
    """Start the server of a standard."""
    kinds = {
        "fhir": Fhir,
        "odata": searches.OData,
        "odata_delta": searches.ODataDelta,
        "elasticsearch": searches.Elasticsearch,
        "dci": searches.Dci,
        "jsonapi": searches.JsonApi,
    }
    with ExitStack() as stack:
        match name:
            case "graphql":
                broken: set[int] = set()
                yield Connection(stack.enter_context(asgi(graph.application(people, broken)))), broken
            case "soap":
                soap = pytest.importorskip(f"{__package__}.soap", reason="spyne runs on Python 3.11 only")
                host = stack.enter_context(wsgi(soap.application(people, set())))
                yield Connection(host, login=soap.LOGIN, password=soap.PASSWORD), None
            case _:
                answering = kinds[name](people)
                server = Served(answering)
                stack.callback(server.stop)
                answering.host = server.host
                yield Connection(server.host), answering


NAMES = ["fhir", "odata", "odata_delta", "elasticsearch", "dci", "graphql", "soap", "jsonapi"]


@pytest.fixture
def standard(
    tmp_path: Path, hubs_over: Callable[[Path], list[Hub]], request: pytest.FixtureRequest
) -> Iterator[Standard]:
    people = People(COUNT)
    with served(request.param, people) as (connection, extra):
        hub, _ = hubs_over(as_root(request.param, tmp_path / "root"))
        hub.empty()
        yield Standard(request.param, people, connection, hub, extra)


def every(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("standard", names or NAMES, indirect=True)


@every()
def test_first_sync_changes_deletion_and_resumption_are_exact(standard: Standard) -> None:
    with pytest.raises(Killed):
        standard.sync(after_pages=2)
    held = standard.facts()
    assert 0 < len(held) < COUNT
    first = standard.sync()
    assert standard.facts() == standard.people.facts()
    # A run that another process began is followed by one of the changes since.
    assert first.read == (COUNT if first.mode == "full" else 0)
    standard.people.now = NOW + timedelta(hours=1)
    standard.people.add(2)
    standard.people.rename(3, "Trần")
    standard.people.remove(7)
    second = standard.sync(days=1)
    assert standard.facts() == standard.people.facts()
    assert second.mode == "changes"
    assert second.read < COUNT


@every()
def test_the_conformance_suite_finds_no_fault(
    standard: Standard, hubs_over: Callable[[Path], list[Hub]]
) -> None:
    windows = set() if standard.connector.source == "odata_delta" else {"since", "until"}
    said = standard.tried(hubs_over(standard.hub.settings.root))
    assert (
        said["passed"].keys()
        >= {"reads", "agreement", "twice", "deletes", "resumes", "killed", "quiet"} | windows
    )


@every("odata_delta")
def test_a_token_that_the_source_does_not_know_any_more_is_told(standard: Standard) -> None:
    standard.sync()
    standard.extra.expired = {standard.extra.token()}
    with pytest.raises(RequestRefused, match=r"run: oncehub sync odata_delta\.people --full"):
        standard.sync(days=1)


@every("graphql")
def test_errors_of_graphql_are_told_although_the_answer_has_status_200(standard: Standard) -> None:
    standard.extra.add(9)
    with pytest.raises(RequestRefused, match="the source reports: cannot read 'fullName' of …"):
        standard.sync()


@every("soap")
def test_a_fault_is_told_and_not_asked_for_again(standard: Standard) -> None:
    standard.connection = Connection(standard.connection.host, login="hub", password="another")
    with pytest.raises(RequestRefused, match=r"answered 500; the source reports: .*FailedAuthentication"):
        standard.sync()
