"""A hub filled for look-ups by SQL alone, its API as it is served in production, and one agency's client."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from psycopg2 import sql

from benchmarks.measuring.server import Server
from oncehub.api.client import HubClient
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.store.connection import Connection, connect
from stubs.processes import Started

ROOT: Final = Path(__file__).resolve().parents[2]
AGREEMENT: Final = "portal-residence"
CLIENT: Final = "bench"
_READY_SECONDS: Final = 120
_STOP_SECONDS: Final = 60
FIRST_NUMBER: Final = 100_000_000_000
"""The personal number of the nth person is this number plus n."""

# The golden record as reconciling leaves it: the phone from another source, all else from the register.
_PEOPLE: Final = """
insert into truth.person (
    person_key, personal_id, full_name, birth_date, sex, hometown, ethnicity, nationality, father,
    permanent_address, marital_status, life_status, phone, provenance, believed_from
)
select
    truth.person_key('population', 'citizens', n::text), (%(first)s + n)::text, 'Nguyễn Văn ' || n,
    to_char(date '1940-01-01' + n %% 25000, 'YYYY-MM-DD'), case n %% 2 when 0 then 'male' else 'female' end,
    jsonb_build_object('province', '01', 'commune', lpad((n %% 3000)::text, 5, '0')), '01', 'VNM',
    jsonb_build_object('full_name', 'Nguyễn Văn Cha ' || n, 'personal_id', (%(first)s + n / 2)::text),
    jsonb_build_object('province', '01', 'commune', lpad((n %% 3000)::text, 5, '0'), 'detail', 'Số ' || n),
    'single', 'alive', '09' || lpad(n::text, 8, '0'),
    jsonb_build_object(
        '*', jsonb_build_object('source', 'population', 'stream', 'citizens', 'source_key', 'CD' || n,
            'as_of', '2026-05-01T01:02:03+00:00', 'rule', 'authority'),
        'phone', jsonb_build_object('source', 'tax', 'stream', 'registrations', 'source_key', 'MST' || n,
            'as_of', '2026-06-01T01:02:03+00:00', 'rule', 'trust')
    ),
    '2026-06-01'
from generate_series(1, %(people)s) n;
insert into truth.identifier (scheme, value, person_key, current)
select 'personal_id', personal_id, person_key, true from truth.person;
insert into truth.discrepancy
    (person_key, attribute, source, stream, source_key, kind, source_value, golden_value, stated_at)
select
    person_key, 'phone', 'tax', 'registrations', 'MST' || personal_id, 'conflict', '"0900"', '"0901"', now()
from truth.person
where personal_id like '%%7';
"""

# Look-ups of the past year, all signed: the lines resemble real ones, because their size affects the cost.
_LINES: Final = """
insert into audit.entry (at, client_id, agency, agreement, purpose, legal_basis, action, person, attributes,
    outcome, request_id)
select
    now() - interval '1 day' - (%(lines)s - n) * interval '1 year' / %(lines)s, %(client)s, 'G01',
    %(agreement)s, 'dpv:PublicServiceProvision', 'Luật 91/2025/QH15, Điều 19 khoản 1 điểm c', 'lookup',
    encode(sha256(n::text::bytea), 'hex'),
    '{person.full_name,person.birth_date,person.sex,person.permanent_address}', 'answered', md5(n::text)::uuid
from generate_series(1, %(lines)s) n
"""

# The API reads the age of the oldest unsigned line; the tree is not verified here.
_SIGNED: Final = """
insert into audit.checkpoint (number, size, commitments, note, horizon)
select
    coalesce(max(number), 0) + 1, coalesce(max(size), 0) + 1, sha256(''), 'none',
    (select hub.transaction_horizon())
from audit.checkpoint
"""

_INDEXES: Final = """
select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index i
where i.indrelid = 'audit.entry'::regclass and not i.indisunique
"""


@dataclass(frozen=True)
class Api:
    """A running API: its address, its process, and a client's bearer token."""

    url: str
    process: int
    token: str


def ensure_filled(server: Server, home: Path, people: int, lines: int) -> Settings:
    """Give the settings of a hub with so many people and log lines; fill one where there is none.

    One that is there from an earlier time has the lines of that time, too.
    """
    name, filling = f"lookup_{people}_{lines}", f"filling_{people}_{lines}"
    if not server.has(name):
        server.create(filling)
        settings = Settings(_root(home), home, server.url(filling))
        initialise(settings, make_keys=True)
        with closing(connect(server.url(filling))) as connection:
            _fill(connection, people, lines)
        server.rename(filling, name)
    settings = Settings(_root(home), home, server.url(name))
    initialise(settings, make_keys=True)
    with closing(connect(server.url(name))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_SIGNED)
    server.settle(name)
    server.warm(name)
    return settings


def _fill(connection: Connection, people: int, lines: int) -> None:
    values = {"first": FIRST_NUMBER, "people": people, "client": CLIENT, "agreement": AGREEMENT}
    with connection, connection.cursor() as cursor:
        cursor.execute(_PEOPLE, values)
        # Building them at the end takes a tenth of the time.
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        for index, _ in indexes:
            cursor.execute(sql.SQL("drop index ") + sql.SQL(index))
        cursor.execute(_LINES, values | {"lines": lines})
        cursor.execute("set local maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)


def _root(home: Path) -> Path:
    """Copy the repository's configuration, with an agreement without rate limit and end."""
    root = home / "root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "mappings").mkdir(parents=True)
    for name in ("connectors", "schemas"):
        (root / name).symlink_to(ROOT / name)
    for path in (ROOT / "mappings").iterdir():
        if path.name != "agreements":
            (root / "mappings" / path.name).symlink_to(path)
    shutil.copytree(ROOT / "mappings" / "agreements", root / "mappings" / "agreements")
    path = root / "mappings" / "agreements" / f"{AGREEMENT}.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["limits"] = {"per_second": 10**6, "per_day": 10**9}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return root


@contextmanager
def serving(settings: Settings) -> Iterator[Api]:
    """Serve a hub as `oncehub api` does, with its usual settings, and give a client's token."""
    key = settings.home / "bench.pem"
    key.unlink(missing_ok=True)
    with closing(connect(str(settings.database_url))) as connection:
        add_client(connection, CLIENT, AGREEMENT, new_client_key(key))
    environment = {
        "ONCEHUB_ROOT": str(settings.root),
        "ONCEHUB_HOME": str(settings.home),
        "ONCEHUB_DATABASE_URL": str(settings.database_url),
    }
    command = [sys.executable, "-m", "oncehub.cli", "api", "--port", "0"]
    log = settings.home / "api.log"
    log.unlink(missing_ok=True)
    started = Started.start(command, log, environment)
    try:
        url = started.line_that_begins("listening on ", _READY_SECONDS).split()[-1]
        client = HubClient(url, CLIENT, key.read_bytes())
        yield Api(url, started.process.pid, client.token())
    finally:
        started.end(_STOP_SECONDS)
