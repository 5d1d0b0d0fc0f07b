"""Sensitive values over HTTP: encrypted in the database, told to whom the agreement lets have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oncehub.encryption.cipher import load_ciphers
from oncehub.encryption.field_values import encrypt_value
from oncehub.encryption.key_ring import add_primary, load_key_ring
from oncehub.encryption.rotation import rotate
from oncehub.settings import Settings
from oncehub.store.connection import Connection

AN, BINH = {"person.personal_id": "001184000001"}, {"person.personal_id": "001084000002"}
FAITHS = {"001184000001": "Sentinel-Faith-Ngọc", "001084000002": "Sentinel-Faith-Bạc"}
ASKED = ["person.religion", "person.full_name"]


@pytest.fixture
def identity(
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    admit: Callable[..., Any],
) -> Any:
    """The portal's client for identity papers, over two people whose faith is encrypted."""
    ciphers = load_ciphers(editable.home, database)
    for number, faith in FAITHS.items():
        key = believe(personal_id=number, full_name=f"Người {number[-1]}", religion=faith)
        stored = encrypt_value(ciphers, "person.religion", ("population", "s", key), faith, indexed=False)
        with database, database.cursor() as cursor:
            cursor.execute("update truth.person set religion = %s where person_key = %s", (stored, key))
    return admit("portal-identity")


def test_a_client_that_the_agreement_allows_gets_the_value(identity: Any) -> None:
    answer = identity.lookup(AN, ASKED)
    assert answer.status_code == 200
    assert answer.json()["attributes"]["person.religion"]["value"] == FAITHS["001184000001"]


def test_a_key_that_rotates_is_not_noticed(identity: Any, editable: Settings, database: Connection) -> None:
    add_primary(editable.home)
    assert (
        identity.lookup(BINH, ASKED).json()["attributes"]["person.religion"]["value"]
        == FAITHS["001084000002"]
    )
    rotate(editable, database=database)
    assert (
        identity.lookup(BINH, ASKED).json()["attributes"]["person.religion"]["value"]
        == FAITHS["001084000002"]
    )


@pytest.mark.parametrize("fault", ["swapped", "key missing"])
def test_a_value_that_cannot_be_decrypted_is_reported_to_the_operator_only(
    identity: Any,
    editable: Settings,
    database: Connection,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    key = load_key_ring(editable.home).primary
    if fault == "swapped":
        with database, database.cursor() as cursor:
            cursor.execute(
                "update truth.person set religion = (select religion from truth.person where personal_id "
                "= '001084000002') where personal_id = '001184000001'"
            )
    else:
        add_primary(editable.home)
        (editable.home / "keys" / "data" / f"{key}.key").unlink()
    answer = identity.lookup(AN, ASKED)
    assert answer.status_code == 503
    assert "Sentinel" not in answer.text
    assert key not in answer.text
    told = "cannot be decrypted there" if fault == "swapped" else f"the key {key} is not in the key ring"
    assert told in caplog.text
    assert identity.lookup(AN, ["person.full_name"]).status_code == 200
