"""What a hub that has run a whole cycle holds: nowhere a sensitive value or a rejected record in clear."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from psycopg2 import sql

from oncehub.config.agreements import Agreement
from oncehub.config.entities import Entity, load_entities
from oncehub.encryption import rotation
from oncehub.encryption.blind_index import find_records
from oncehub.encryption.cipher import use_keys
from oncehub.encryption.data_keys import add_data_key
from oncehub.encryption.field_values import decrypting
from oncehub.encryption.key_ring import create_key_ring, load_key_ring
from oncehub.encryption.rotation import keys_in_use, reencrypt, retire, rotate
from oncehub.errors import ConfigError, DecryptionFailed, KeyMissing, RunBusy
from oncehub.intake.landing.land import Landing
from oncehub.intake.quarantine.rejected_records import Quarantine
from oncehub.normalize.batch import Batch, Rejected
from oncehub.reconcile.run import reconcile
from oncehub.reconcile.survivorship.explain import explain
from oncehub.reconcile.survivorship.history import history
from oncehub.settings import Settings
from oncehub.share.access.database_access import build_database_access, encrypted_attributes
from oncehub.share.agreements.catalogue import load_agreements
from oncehub.share.delivery.gap_free_sequence import Start
from oncehub.share.feeds import entries as feeds_module
from oncehub.share.feeds.entries import publish
from oncehub.store.connection import Connection, connect
from tests.api.asking import find_person, read_changes

START = datetime(2026, 1, 1, tzinfo=UTC)
FAITH, NEW_FAITH, OTHER_FAITH = "Sentinel-Faith-Ngọc", "Sentinel-Faith-Vàng", "Sentinel-Faith-Bạc"
BLOOD = "Sentinel-Blood-AB"
ACCOUNT = "Sentinel-Account 970-11"
BAD = "Sentinel-Payload-Bí-Mật"
SENTINEL = "Sentinel"
AN = {"personal_id": "001184000001", "full_name": "Nguyễn Thị Mẫu"}
BINH = {"personal_id": "001084000002", "full_name": "Trần Văn Thử"}
PSEUDONYM_KEY = b"k" * 32

_TABLES = """
select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'm') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
"""


@dataclass
class Hub:
    """A hub over which the nightly steps are taken, with an agreement that covers what is sensitive."""

    settings: Settings
    database: Connection
    agreement: Agreement

    def land(self, source: str, stream: str, entity: str, day: int, **rows: dict[str, Any]) -> None:
        entities = load_entities(self.settings.schemas)
        stated = START + timedelta(days=day)
        frames = {entity: _frame(entities[entity], stated, rows)}
        keys = frames[entity].select("source_key", "stated_at")
        batch = Batch(frames, keys.clear(), [], keys, len(rows), stated)
        landing = Landing(self.database, source, stream, entities, self.settings.home)
        with self.database:
            landing.prepare()
            landing.land(batch)

    def quarantine(self, payload: str) -> None:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(
                "insert into intake.run (source, stream, mode, state) "
                "values ('tax', 'registrations', 'full', 'succeeded') returning run_id"
            )
            (run_id,) = cursor.fetchone() or (0,)
            bad = Rejected("k", "contract", "breaks 'type'", "name", payload.encode())
            Quarantine(self.settings, "tax", "registrations").keep(self.database, run_id, [bad])

    def step(self) -> None:
        reconcile(self.settings, self.database)
        feeds_module.feed_sequence(self.agreement, ["religion", "blood_type"], self.settings.home).extend(
            self.database
        )

    def believed(self, personal_id: str, home: Any = None) -> Any:
        with self.database, decrypting(home or self.settings.home, self.database):
            search = {"person.personal_id": personal_id}
            found = find_person(self.database, self.agreement, search, ["person.religion"])
        return found and found.attributes["person.religion"].value

    def told(self) -> list[Any]:
        with self.database, decrypting(self.settings.home, self.database):
            page = read_changes(self.database, self.agreement, Start(0, 100), PSEUDONYM_KEY)
        return [line["values"].get("person.religion") for line in page.lines]

    def person(self, personal_id: str) -> UUID:
        [(key,)] = self.rows("select person_key::text from truth.person where personal_id = %s", personal_id)
        return UUID(key)

    def rows(self, statement: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
        with self.database, self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def dump(self) -> Iterator[tuple[str, str]]:
        """Every row of every table, as text."""
        for schema, table in self.rows(_TABLES):
            name = sql.Identifier(schema, table)
            for (row,) in self.rows(sql.SQL("select row_to_json(t)::text || t::text from {} t").format(name)):
                yield f"{schema}.{table}", row


def _frame(entity: Entity, stated: datetime, rows: dict[str, dict[str, Any]]) -> pl.DataFrame:
    kinds = {"object": pl.Struct({"unit": pl.String()}), "date": pl.Date(), "boolean": pl.Boolean()}
    schema = {"source_key": pl.String(), "stated_at": pl.Datetime("us", "UTC")} | {
        name: kinds.get(each.type, pl.String()) for name, each in entity.attributes.items()
    }
    return pl.DataFrame(
        [{"source_key": key, "stated_at": stated, **values} for key, values in rows.items()], schema=schema
    )


@pytest.fixture
def hub(editable: Settings, settings: Settings, database: Connection) -> Hub:
    portal = load_agreements(editable)["portal-residence"]
    attributes = (*portal.attributes, "person.religion", "person.blood_type")
    agreement = portal.model_copy(update={"attributes": attributes})
    build_database_access(database, {agreement.name: agreement}, encrypted_attributes(settings))
    return Hub(settings, database, agreement)


@pytest.fixture
def lived(hub: Hub) -> Hub:
    """Two people of the register, one of whom it states anew; a bank account; a rejected record."""
    hub.land(
        "population",
        "citizens",
        "person",
        1,
        an={**AN, "religion": FAITH, "blood_type": BLOOD},
        binh={**BINH, "religion": OTHER_FAITH},
    )
    hub.land("banking", "accounts", "bank_account", 1, a1={"account_number": ACCOUNT, "status": "active"})
    hub.quarantine(f'{{"name": "{BAD}"}}')
    hub.step()
    hub.land("population", "citizens", "person", 2, an={**AN, "religion": NEW_FAITH, "blood_type": BLOOD})
    hub.step()
    return hub


def test_no_table_holds_a_sensitive_value_or_a_rejected_record_in_clear(lived: Hub) -> None:
    rows = list(lived.dump())
    assert {"truth.person_version", "share.feed_entry", "intake.rejected"} <= {table for table, _ in rows}
    assert [table for table, row in rows if SENTINEL in row or SENTINEL.encode().hex() in row] == []


def test_what_is_encrypted_is_shown_where_it_may_be(lived: Hub) -> None:
    assert lived.believed("001184000001") == NEW_FAITH
    assert lived.told() == [FAITH, OTHER_FAITH, NEW_FAITH] or lived.told() == [OTHER_FAITH, FAITH, NEW_FAITH]
    person = lived.person("001184000001")
    [choice] = explain(lived.settings, person, ["religion"], database=lived.database).choices
    assert (choice.value, [each.value for each in choice.candidates]) == (NEW_FAITH, [NEW_FAITH])
    assert [each.likeness for each in choice.candidates] == ["same"]
    past = history(lived.settings, person, ["religion"], database=lived.database).attributes["religion"]
    assert [belief.value for belief in past.beliefs] == [FAITH, NEW_FAITH]


def test_nothing_opens_outside_of_where_it_may_be_shown(lived: Hub) -> None:
    with lived.database:
        search = {"person.personal_id": "001184000001"}
        found = find_person(lived.database, lived.agreement, search, ["person.religion"])
        page = read_changes(lived.database, lived.agreement, Start(0, 100), PSEUDONYM_KEY)
    assert SENTINEL not in str(found)
    assert SENTINEL not in str(page)


@pytest.mark.parametrize(
    "swap",
    [
        "update truth.person set religion = "
        "(select religion from truth.person where personal_id = '001084000002') "
        "where personal_id = '001184000001'",
        "update truth.person set religion = blood_type where personal_id = '001184000001'",
    ],
    ids=["two people", "two attributes"],
)
def test_a_value_put_where_it_does_not_belong_does_not_open(lived: Hub, swap: str) -> None:
    lived.rows(swap)
    with pytest.raises(DecryptionFailed, match=r"person\.religion cannot be decrypted there"):
        lived.believed("001184000001")


def test_the_same_statement_again_changes_nothing_and_the_same_value_elsewhere_looks_otherwise(
    lived: Hub,
) -> None:
    before = lived.rows("select religion, received_at from record.person order by source_key")
    lived.land("population", "citizens", "person", 2, an={**AN, "religion": NEW_FAITH, "blood_type": BLOOD})
    assert lived.rows("select religion, received_at from record.person order by source_key") == before
    lived.land("population", "citizens", "person", 3, binh={**BINH, "religion": NEW_FAITH})
    (an,), (binh,) = lived.rows("select religion from record.person order by source_key")
    assert an != binh


def test_a_new_key_of_the_ring_touches_no_value(lived: Hub) -> None:
    former, before = load_key_ring(lived.settings.home).primary, list(lived.dump())
    assert rotate(lived.settings, database=lived.database) == 1
    changed = {table for table, row in set(before) ^ set(lived.dump())}
    assert changed == {"hub.data_key", "hub.key"}
    retire(lived.settings, former, lived.database)
    lived.land("population", "citizens", "person", 3, an={**AN, "religion": NEW_FAITH, "blood_type": BLOOD})
    lived.step()
    test_what_is_encrypted_is_shown_where_it_may_be(lived)


def test_everything_is_reencrypted_and_changes_no_golden_value_and_no_feed(lived: Hub) -> None:
    [former] = [use.key for use in keys_in_use(lived.settings, lived.database) if use.kind == "data"]
    told, before = lived.told(), lived.rows("select count(*) from share.change")
    done = reencrypt(lived.settings, lived.database)
    assert done == {
        "intake.rejected": 1,
        "record.bank_account": 1,
        "record.person": 3,
        "truth.person": 3,
        "truth.person_version": 2,
        "share.feed_entry": 5,
    }
    assert [row for _, row in lived.dump() if f"encrypted:{former}" in row] == []
    assert lived.told() == told
    assert lived.believed("001184000001") == NEW_FAITH
    lived.land("population", "citizens", "person", 4, an={**AN, "religion": NEW_FAITH, "blood_type": BLOOD})
    lived.step()
    assert lived.rows("select count(*) from share.change") == before
    test_what_is_encrypted_is_shown_where_it_may_be(lived)


def test_a_reencryption_killed_anywhere_leaves_everything_readable_and_goes_on(
    lived: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 1)
    told, kills = lived.told(), 0

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    while True:
        try:
            reencrypt(lived.settings, lived.database, listener=killed)
        except KeyboardInterrupt:
            kills += 1
            assert lived.told() == told
            assert lived.believed("001184000001") == NEW_FAITH
            continue
        break
    assert kills > 5
    assert [use.values for use in keys_in_use(lived.settings, lived.database) if not use.primary] == []


def test_who_lets_the_database_compare_waits_for_a_reencryption_to_end(
    lived: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lived.rows("select count(*) from share.change")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypt(lived.settings, lived.database, listener=killed)
    again = {**AN, "religion": NEW_FAITH, "blood_type": BLOOD}
    feed = feeds_module.feed_sequence(lived.agreement, ["religion"], lived.settings.home)
    for refused in (
        lambda: lived.land("population", "citizens", "person", 3, an=again),
        lambda: lived.quarantine("{}"),
        lived.step,
        lambda: feed.extend(lived.database),
    ):
        with pytest.raises(RunBusy, match="oncehub keys reencrypt"):
            refused()
    reencrypt(lived.settings, lived.database)
    lived.land("population", "citizens", "person", 3, an=again)
    lived.step()
    assert lived.rows("select count(*) from share.change") == before


def test_a_landing_that_began_with_the_former_key_is_waited_for(lived: Hub) -> None:
    assert lived.settings.database_url
    other = connect(lived.settings.database_url)
    with ThreadPoolExecutor(1) as beside:
        with other, other.cursor() as cursor:
            use_keys(cursor, lived.settings.home)
            encrypting = beside.submit(reencrypt, lived.settings)
            while not lived.rows("select 1 from pg_locks where locktype = 'advisory' and not granted"):
                assert not encrypting.done()
            cursor.execute("update record.person set religion = blood_type where source_key = 'binh'")
        encrypting.result()
    other.close()
    [data_key] = [use for use in keys_in_use(lived.settings, lived.database) if use.kind == "data"]
    assert data_key.values["record.person"] == 2


def test_a_missing_key_is_named_by_its_id_where_the_value_is_read(lived: Hub) -> None:
    key = load_key_ring(lived.settings.home).primary
    create_key_ring(lived.settings.home / "elsewhere")
    with pytest.raises(KeyMissing, match=f"the key {key} is not in the key ring"):
        lived.believed("001184000001", home=lived.settings.home / "elsewhere")
    assert lived.believed("001184000001") == NEW_FAITH


def test_an_account_is_found_by_its_number_in_whatever_form_and_under_any_key(lived: Hub) -> None:
    lived.land("banking", "accounts", "bank_account", 1, a2={"account_number": "970-12"})
    lived.land("banking", "accounts", "bank_account", 1, a3={"account_number": "SENTINEL ACCOUNT 97011"})
    wanted = "bank_account.account_number", "sentinel-account-97011"
    with lived.database, lived.database.cursor() as cursor:
        add_data_key(cursor, load_key_ring(lived.settings.home))
        found = find_records(lived.settings, lived.database, *wanted)
    assert found == [("banking", "accounts", "a1"), ("banking", "accounts", "a3")]


def test_nothing_is_found_by_an_attribute_whose_values_could_be_guessed(lived: Hub) -> None:
    with pytest.raises(ConfigError, match=r"person\.religion has no blind index"):
        find_records(lived.settings, lived.database, "person.religion", FAITH)


def test_a_feed_is_published_with_the_hubs_own_steps(lived: Hub, editable: Settings) -> None:
    report = publish(editable, "residence", lived.database)
    assert report.last_sequence >= 3
