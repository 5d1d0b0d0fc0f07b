"""What tests of every step share: a real database of their own, and the running simulated systems."""

from __future__ import annotations

import logging
import pickle
import random
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg2 import sql
from psycopg2.extras import Json

from oncehub.audit.log.entries import Entry
from oncehub.config import documents
from oncehub.encryption.key_ring import create_key_ring
from oncehub.encryption.secrets import create_key
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from oncehub.store.history import begin_history
from oncehub.store.server import start_embedded, stop_embedded
from stubs.client import Systems
from stubs.servers.identity import IdentityProvider

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "migrated"
PEOPLE = 2000

# Thousands of databases of hundreds of files are made and thrown away: a disk takes longer than the tests.
MEMORY = Path("/dev/shm")
LEAST_FREE_BYTES = 8 << 30

AS_OF = "2026-05-01T01:02:03+00:00"
REGISTER = {"source": "population", "rule": "authority"}
OTHERS = {"phone", "email", "tax_code"}
IDENTIFIERS = ("personal_id", "national_id_9", "tax_code")

WARD = """
name: ward
agency: {id: H27, name: Ward, kind: state}
purpose: dpv:RequestedServiceProvision
consent: not_required
legal_basis: {text: Luật 91/2025/QH15, article: Điều 19 khoản 1 điểm c, from: 2026-01-01}
population:
  person.permanent_address: {province: ["01"]}
procedures: [dvctt-02]
attributes: [person.personal_id, person.full_name, person.household_head, person.relation_to_head, \
person.permanent_address]
implied: [person.sex, person.birth_date, person.birth_registration_place, person.marital_status, \
person.spouse, person.father, person.mother, person.life_status]
relatives: [household_members]
search_by: [person.personal_id]
limits: {per_second: 1000, per_day: 100000}
valid: {from: 2026-01-01, until: 2999-12-31}
"""

# Those that prove citizens and officers to a test's hub, with keys of this process.
PROVIDERS = {
    proves: IdentityProvider(f"https://{proves}.example", proves) for proves in ("citizens", "officers")
}

# A test's database is thrown away: it need not outlive a power cut, and its log need not be long.
QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_wal_size = '512MB'")

# A transaction that no test began holds back what is sealed or fed in commit order.
ALONE = ("autovacuum = off",)

# What tests state of people: numbers, addresses, and the names that those whom they invent bear.
PERSONAL = re.compile(
    r"(?<![0-9a-f-])0\d{11}(?![0-9a-f-])|\+84\d{8,9}|[\w.]+@[\w.-]+\.(?:vn|com|org)\b"
    r"|Nguyễn|NGUYEN |Trần |TRAN |Phạm|Lê Thị|Bí Mật|Sentinel"
)

_DISAGREE = """
insert into truth.discrepancy
    (person_key, attribute, source, stream, source_key, kind, source_value, golden_value, stated_at, as_of)
values (%(person_key)s, %(attribute)s, %(source)s, %(stream)s, %(key)s, %(kind)s, %(stated)s, %(believed)s,
    %(stated_at)s, %(as_of)s)
returning discrepancy_id
"""


# How many examples each property is tried with; costly ones state a part of it.
EXAMPLES = {"quick": 20, "thorough": 200}
for _name, _examples in EXAMPLES.items():
    hypothesis_settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )
hypothesis_settings.load_profile("quick")

LONGEST = ("end_to_end", "benchmarks", "conformance", "reconcile")

# These folders' tests bear the folder's name as a mark, so that they run apart: `pytest -m demo`.
MARKED = ("stubs", "demo", "benchmarks", "torture")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of all examples, unless one is given; processes that share the work share it."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(random.randrange(2**32))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark unit tests and those of what stands beside the hub; begin with the folders that take longest.

    Work is shared out file by file: a long file at the end would leave the other process idle.
    """
    items.sort(key=lambda item: item.path.relative_to(ROOT / "tests").parts[0] not in LONGEST)
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        for name in {folder, *(["demo"] if folder == "end_to_end" else [])} & {*MARKED}:
            item.add_marker(name)
        if (
            isinstance(item, pytest.Function)
            and {"server_folder", "systems"}.isdisjoint(item.fixturenames)
            and not any(item.get_closest_marker(name) for name in ("compose", "night", *MARKED))
        ):
            item.add_marker("unit")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how the same examples are drawn again."""
    terminalreporter.write_line(
        f"examples: {config.option.hypothesis_profile or 'quick'}; the same again with "
        f"--hypothesis-seed={config.option.hypothesis_seed}"
    )


class _Heard(logging.Handler):
    """Keeps which log lines look as if they spoke of somebody."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # With its traceback, as a handler in operation would write it.
        if PERSONAL.search(line := self.format(record)):
            self.lines.append(line)


@pytest.fixture(autouse=True)
def no_log_line_names_anybody() -> Iterator[None]:
    """Whatever a test does in this process, nothing that the hub logs at any level speaks of a person."""
    heard, hub = _Heard(), logging.getLogger("oncehub")
    root, level = logging.getLogger(), hub.level
    root.addHandler(heard)
    hub.setLevel(logging.DEBUG)
    yield
    hub.setLevel(level)
    root.removeHandler(heard)
    assert heard.lines == []


@pytest.fixture(scope="session", autouse=True)
def documents_parsed_once() -> Iterator[None]:
    """Parse each YAML text once a process: every test reads the same two hundred files."""
    parse = documents._composed

    @cache
    def parsed(text: str) -> tuple[Any, bytes]:
        node, content = parse(text)
        return node, pickle.dumps(content)

    def composed(text: str) -> tuple[Any, Any]:
        node, content = parsed(text)
        return node, pickle.loads(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_composed", composed)
        yield


@pytest.fixture(scope="session")
def names_nobody() -> Callable[[str], bool]:
    """Tells whether a text has nothing that looks as if it spoke of somebody."""
    return lambda text: PERSONAL.search(text) is None


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Callable[[], Path]]:
    """Makes folders for embedded servers, gone with the session; in memory where that has room.

    They are not pytest's: each start of a pytest closes that to other users, of whom the server is one.
    """
    made: list[Path] = []
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= LEAST_FREE_BYTES

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="oncehub-test-", dir=MEMORY if roomy else None)))
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_folder: Callable[[], Path], data_keys: Path) -> Iterator[str]:
    """URL of an embedded server's database `migrated`, to clone; the server goes with the test process."""
    folder = server_folder() / "postgres"
    url = start_embedded(folder, database=TEMPLATE)
    with _administering(url) as cursor:
        for setting in QUICK + ALONE:
            cursor.execute(f"alter system set {setting}")
        cursor.execute("select pg_reload_conf()")
    migrated = Settings(root=ROOT, home=data_keys.parent, database_url=url)
    initialise(migrated)
    yield url
    stop_embedded(folder)


@pytest.fixture(scope="session")
def data_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys that all hubs have, so that they encrypt the same values the same."""
    home = tmp_path_factory.mktemp("ring")
    create_key_ring(home)
    for name in ("pseudonym", "signing", "token", "request"):
        create_key(name, home)
    return home / "keys"


@pytest.fixture
def new_settings(postgres: str, tmp_path: Path, data_keys: Path) -> Iterator[Callable[[], Settings]]:
    """Makes the repository's configuration over a fresh, migrated database, with the test's keys."""
    made: list[str] = []

    def make() -> Settings:
        made.append(f"test_{uuid.uuid4().hex}")
        statement = sql.SQL("create database {} template {} strategy file_copy")
        with _administering(postgres) as cursor:
            cursor.execute(statement.format(sql.Identifier(made[-1]), sql.Identifier(TEMPLATE)))
        with closing(connect(_naming(postgres, made[-1]))) as copy, copy, copy.cursor() as cursor:
            # As `oncehub init` has just made it.
            cursor.execute("set local session_replication_role = replica; delete from hub.history")
            begin_history(cursor)
        home = tmp_path / made[-1]
        shutil.copytree(data_keys, home / "keys")
        return Settings(ROOT, home=home, database_url=_naming(postgres, made[-1]))

    yield make
    with _administering(postgres) as cursor:
        for name in made:
            cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def settings(new_settings: Callable[[], Settings]) -> Settings:
    """The repository's configuration over a fresh, migrated database and a home with the test's keys."""
    return new_settings()


@pytest.fixture
def database(settings: Settings) -> Iterator[Connection]:
    """A connection to the database of `settings`."""
    assert settings.database_url is not None
    connection = connect(settings.database_url)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """The simulated systems over 2,000 people, for tests that do not advance the world."""
    with Systems.start(tmp_path_factory.mktemp("systems"), PEOPLE, seed=1, timeout=120) as running:
        yield running


@pytest.fixture
def editable(settings: Settings, tmp_path: Path) -> Settings:
    """`settings` over agreements and procedures a test may edit, which neither expire nor run out."""
    root = tmp_path / "root"
    (root / "mappings").mkdir(parents=True)
    for name in ("connectors", "schemas", "mappings/codes", "mappings/rules", "mappings/sources"):
        (root / name).symlink_to(ROOT / name)
    for name in ("agreements", "procedures"):
        shutil.copytree(ROOT / "mappings" / name, root / "mappings" / name)
    for agreement in (root / "mappings" / "agreements").glob("*.yaml"):
        text = agreement.read_text("utf-8").replace("until: 2028-", "until: 2999-")
        agreement.write_text(text.replace("per_second: ", "per_second: 100"), "utf-8")
    for provider in PROVIDERS.values():
        provider.describe(root / "mappings" / "identity_providers", provider.proves, "G01", "G12", "H99")
    return replace(settings, root=root)


@pytest.fixture
def providers() -> dict[str, IdentityProvider]:
    """The identity providers that prove `citizens` and `officers` to the hub of `editable`."""
    return PROVIDERS


@pytest.fixture
def ward(editable: Settings) -> str:
    """Adds an agreement that lists households, about people who live in Hà Nội; gives its name."""
    (editable.mappings / "agreements" / "ward.yaml").write_text(WARD, "utf-8")
    return "ward"


@pytest.fixture
def extendable(settings: Settings, tmp_path: Path) -> Settings:
    """`settings` over the repository's configuration, to which a test may add a source."""
    root = tmp_path / "root"
    for folder in ("connectors", "mappings/sources", "mappings/codes", "schemas/sources"):
        (root / folder).mkdir(parents=True)
        for path in (ROOT / folder).iterdir():
            (root / folder / path.name).symlink_to(path)
    for name in (
        *(f"mappings/{each}" for each in ("rules", "agreements", "identity_providers", "procedures")),
        "schemas/canonical",
    ):
        (root / name).symlink_to(ROOT / name)
    return replace(settings, root=root)


@pytest.fixture
def believe(database: Connection) -> Callable[..., str]:
    """Add a person to what is believed, as reconciling would: `believe(personal_id=..., phone=...)` -> key.

    Contact details and tax code count as the latest word of others, all else as the register's.
    """

    def add(*, former: Sequence[str] = (), contested: bool = False, **attributes: Any) -> str:
        key = str(uuid.uuid4())
        origin = {"stream": "s", "source_key": key, "as_of": AS_OF}
        provenance = {
            name: origin | ({"source": "tax", "rule": "trust"} if name in OTHERS else REGISTER)
            for name in attributes
        }
        values = {
            name: Json(value) if isinstance(value, dict) else value for name, value in attributes.items()
        }
        row = values | {"person_key": key, "provenance": Json(provenance), "believed_from": AS_OF}
        held = [(name, attributes[name], True) for name in IDENTIFIERS if name in attributes]
        with database, database.cursor() as cursor:
            cursor.execute(
                sql.SQL("insert into truth.person ({}) values ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                ),
                list(row.values()),
            )
            for scheme, value, current in [*held, *(("personal_id", value, False) for value in former)]:
                cursor.execute(
                    "insert into truth.identifier (scheme, value, person_key, current, contested) "
                    "values (%s, %s, %s, %s, %s)",
                    (scheme, value, key, current, contested),
                )
            cursor.execute(
                "insert into share.change (person_key, kind, attributes) values (%s, 'created', %s)",
                (key, list(attributes)),
            )
        return key

    return add


@pytest.fixture
def disagree(database: Connection) -> Callable[..., int]:
    """Open a discrepancy of a record with what is believed of a person, as reconciling would; return its id.

    `disagree(person, "full_name", stated=..., believed=..., source=..., kind=..., key=...)`
    """

    def add(
        person_key: str,
        attribute: str,
        *,
        connection: Connection = database,
        commit: bool = True,
        **given: Any,
    ) -> int:
        values = {"kind": "conflict", "source": "tax", "stream": "registrations", "key": str(uuid.uuid4())}
        values |= {"person_key": person_key, "attribute": attribute} | given
        values |= {name: Json(given.get(name, name)) for name in ("stated", "believed")}
        with connection.cursor() as cursor:
            cursor.execute(_DISAGREE, values | {"stated_at": "2026-04-01", "as_of": AS_OF})
            (discrepancy_id,) = cursor.fetchone() or (0,)
        if commit:
            connection.commit()
        return int(discrepancy_id)

    return add


@pytest.fixture
def alter(database: Connection) -> Callable[..., None]:
    """Change a discrepancy, as reconciling would: `alter(id, closed_at=...)`."""

    def change(discrepancy_id: int, **values: Any) -> None:
        statement = sql.SQL("update truth.discrepancy set {} where discrepancy_id = %s").format(
            sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
        )
        with database, database.cursor() as cursor:
            cursor.execute(statement, [*values.values(), discrepancy_id])

    return change


@pytest.fixture(scope="session")
def entry() -> Callable[..., Entry]:
    """Makes a line of the access log, of an answered look-up for the portal: `entry(person=...)`."""
    answered = Entry(
        client_id="portal",
        agency="G01",
        agreement="portal-residence",
        purpose="dpv:RequestedServiceProvision",
        legal_basis="Luật 91/2025/QH15, Điều 19 khoản 1 điểm c",
        action="lookup",
        procedure=None,
        person=None,
        attributes=("person.full_name",),
        refused=(),
        outcome="answered",
        request_id=uuid.UUID(int=7),
    )
    return partial(replace, answered)


@contextmanager
def _administering(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """Give a cursor that commits by itself, beside the template, to which nobody may be connected."""
    connection = psycopg2.connect(_naming(url, "postgres"))
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _naming(url: str, database: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"
