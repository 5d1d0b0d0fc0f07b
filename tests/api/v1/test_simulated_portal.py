"""Citizens of the simulated register sign in at the simulated portal's provider, which the hub believes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oncehub.api.app import create_app
from oncehub.api.client import HubClient
from oncehub.errors import EvidenceRefused
from oncehub.settings import Settings
from oncehub.share.clients.clients import add_client, new_client_key
from oncehub.store.connection import Connection
from stubs.client import Systems
from stubs.world import World
from tests.conftest import PEOPLE


def test_a_citizen_of_the_register_acts_through_the_portal(
    systems: Systems,
    editable: Settings,
    database: Connection,
    believe: Callable[..., str],
    serve: Callable[[Any], tuple[str, int]],
    tmp_path: Path,
) -> None:
    citizens = World.generate(PEOPLE, 1).frame("population", "citizens")
    number, other = citizens.filter(~citizens["_deleted"])["SoDinhDanh"][:2]
    believe(personal_id=number, full_name="Nguyễn Thị An", phone="+84912345678")
    add_client(database, "portal", "portal-residence", new_client_key(tmp_path / "portal.pem"))
    settings = replace(editable, identity_folder=systems.identity_providers)
    with TestClient(create_app(settings)) as app:
        host, port = serve(app.app)

        def portal(prove: Callable[[str], str] | None) -> HubClient:
            key = (tmp_path / "portal.pem").read_bytes()
            agreement = "portal-residence"
            return HubClient(
                f"http://{host}:{port}",
                "portal",
                key,
                citizen=number,
                agreement=agreement,
                prove_citizen=prove,
            )

        hers = portal(partial(systems.sign_in, number))
        form = hers.prefill("1.004222", {"person.personal_id": number})
        answers = {name: {"kind": "confirmed"} for name, item in form["items"].items() if item["confirm"]}
        answers |= {name: {"kind": "none"} for name in form["missing_items"]}
        search = {"person.personal_id": number}
        assert hers.submit("1.004222", form, search, answers, dossier="D-1")["kept"] == ["phone"]
        assert hers.usage()["totalUsages"] == 2
        for prove, check in ((None, "missing"), (partial(systems.sign_in, other), "subject")):
            with pytest.raises(EvidenceRefused) as refused:
                portal(prove).usage()
            assert refused.value.check == check
