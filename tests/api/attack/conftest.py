"""An agency with a narrow agreement, and somebody who holds a word of their own in every attribute."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.config.entities import load_entities
from oncehub.settings import Settings
from oncehub.share.agreements.procedures import load_procedures
from oncehub.share.corrections.publish_notices import publish_corrections
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection

COVERED = ("person.full_name", "person.birth_date", "person.current_address", "person.personal_id")
IDENTIFIERS = {
    "person.personal_id": "079184555111",
    "person.national_id_9": "555111222",
    "person.tax_code": "8555111333",
    "person.passport": "C5551114",
}

AGREEMENT = """
name: narrow
agency: {{id: H99, name: Narrow, kind: state}}
purpose: dpv:RequestedServiceProvision
consent: not_required
legal_basis: {{text: Luật 91/2025/QH15, article: Điều 19 khoản 1 điểm c, from: 2026-01-01}}
procedures: {procedures}
attributes: [{attributes}]
implied: [person.sex, person.birth_registration_place, person.life_status]
search_by: [person.personal_id]
feed: narrow_feed
corrections: {{source: customs, without_value: [person.phone]}}
cases: {{kinds: [wrong_person], sources: [portal]}}
citizen_view: {{usage: true}}
limits: {{per_second: 100000, per_day: 100000000}}
valid: {{from: 2026-01-01, until: 2999-12-31}}
"""


@dataclass(frozen=True)
class Secret:
    """Whom the attack is about.

    Attributes:
        key: the hub's own, which never leaves it.
        words: what each attribute holds, by qualified name.
        case: the number of a case that the agreement covers, `others` of one that it does not.
    """

    key: str
    words: dict[str, set[str]]
    case: int
    others: int
    covered: tuple[str, ...] = COVERED

    @property
    def who(self) -> dict[str, str]:
        return {"person.personal_id": IDENTIFIERS["person.personal_id"]}

    def told(self) -> set[str]:
        """The words that the agreement covers."""
        return {word for name in self.covered for word in self.words[name]}

    def untold(self) -> set[str]:
        """All others, and the key."""
        words = {word for name, each in self.words.items() if name not in self.covered for word in each}
        return words | {self.key}

    def leaked(self, answer: Any) -> set[str]:
        """The words in an answer that do not belong there; in a refusal none does."""
        text = _held(answer)
        allowed = answer.status_code in (200, 201)
        return {word for word in self.untold() | (set() if allowed else self.told()) if word in text}

    def spellings(self, name: str) -> list[str]:
        """Other ways to write the name of an attribute."""
        bare = name.removeprefix("person.")
        return [
            name.upper(),
            name.title(),
            bare,
            f" {name}",
            f"{name} ",
            f"{name}\n",
            f"{name}\0",
            f"{name}\u200b",
            f"person..{bare}",
            f"truth.{name}",
            f'person."{bare}"',
            f"{self.covered[0]},{name}",
            f"{name} as full_name",
            f"person.full_name, {bare}",
            f"person.full_name.{bare}",
            unicodedata.normalize("NFKC", name).translate({ord("e"): "е"}),
            "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in name),
            f"person[{bare}]",
            f"person/{bare}",
            f"{name}%00",
        ]


@pytest.fixture
def http(editable: Settings) -> Iterator[TestClient]:
    text = AGREEMENT.format(
        procedures=json.dumps(sorted(load_procedures(editable))), attributes=", ".join(COVERED)
    )
    (editable.mappings / "agreements" / "narrow.yaml").write_text(text, "utf-8")
    with TestClient(create_app(editable), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def attacker(admit: Callable[..., Any]) -> Any:
    agency = admit("narrow")
    agency.bearer = agency.ask_token(agency.assertion(act={"sub": "officer"})).json()["access_token"]
    return agency


@pytest.fixture
def secret(
    editable: Settings, believe: Callable[..., str], disagree: Callable[..., int], database: Connection
) -> Secret:
    words: dict[str, set[str]] = {}
    believed: dict[str, Any] = {}
    for name, attribute in load_entities(editable.schemas)["person"].attributes.items():
        qualified = f"person.{name}"
        if attribute.type == "object":
            believed[name] = {member: f"Word{name}{member}" for member in attribute.members}
        else:
            believed[name] = IDENTIFIERS.get(qualified, f"Word{name}")
        value = believed[name]
        words[qualified] = set(value.values()) if isinstance(value, dict) else {value}
    if not _column(database, "passport"):
        believed.pop("passport", None)
    key = believe(**believed)
    other = believe(personal_id="001084000999", full_name="Trần Văn Bình", religion="Wordof another")
    words["person.religion"].add("Wordof another")
    disagree(key, "phone", source="customs", stated="own", believed="Wordphone")
    with database, database.cursor() as cursor:
        cursor.executemany(
            "insert into truth.link (source, stream, source_key, person_key, method) "
            "values ('population', 'citizens', %s, %s, 'register')",
            [(each, each) for each in (key, other)],
        )
        cases = [_open_case(cursor, source, key) for source in ("portal", "banking")]
    publish(editable, "narrow_feed", database)
    publish(editable, "residence", database)
    publish_corrections(editable, "customs", database)
    return Secret(key, words, *cases)


def _column(database: Connection, name: str) -> bool:
    with database, database.cursor() as cursor:
        cursor.execute(
            "select from pg_attribute where attrelid = 'truth.person'::regclass and attname = %s", (name,)
        )
        return cursor.fetchone() is not None


def _open_case(cursor: Any, source: str, person: str) -> int:
    cursor.execute(
        "insert into record.person (source, stream, source_key, personal_id, full_name, stated_at) "
        "values (%s, 'accounts', 'R1', '001084000999', 'Trần Văn Bình', '2026-01-01')",
        (source,),
    )
    cursor.execute(
        "insert into truth.case_file (kind, person_key, source, stream, source_key, evidence) "
        "values ('wrong_person', %s, %s, 'accounts', 'R1', '{}') returning case_id",
        (person, source),
    )
    return int(cursor.fetchone()[0])


def _held(answer: Any) -> str:
    """Everything an answer says, with escapes undone."""
    try:
        body = json.dumps(answer.json(), ensure_ascii=False)
    except ValueError:
        body = ""
    return "\n".join([answer.text, body, str(answer.headers)])
