"""`oncehub init` beside an API that serves: rights and routines change between two look-ups, not in one."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.initialise import initialise
from oncehub.settings import Settings
from oncehub.store import migrate as migrate_module
from oncehub.store.migrate import Scripts, hub_scripts
from tests.api.server.processes import Running

ID, NAME = "001084000999", "Nguyễn Thị An"
WHO = {"person.personal_id": ID}
PORTAL = "portal-residence"


@dataclass
class Toggle:
    """The portal's agreement with and without an attribute that stands before the name."""

    path: Path
    full: str
    without: str = field(init=False)

    def __post_init__(self) -> None:
        self.without = re.sub(r".*- person\.email\n", "", self.full)
        assert self.without != self.full

    def write(self, *, full: bool) -> None:
        self.path.write_text(self.full if full else self.without, "utf-8")


@pytest.fixture
def toggle(editable: Settings) -> Toggle:
    path = editable.mappings / "agreements" / f"{PORTAL}.yaml"
    return Toggle(path, path.read_text("utf-8"))


@dataclass
class Asking:
    """Clients that look one person up without a pause, and what they were answered."""

    url: str
    headers: dict[str, str]
    answers: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self.ended.is_set():
                answer = session.post(
                    f"{self.url}/v1/persons/lookup",
                    json={"search": WHO, "attributes": ["person.full_name"]},
                    headers=self.headers,
                    timeout=30,
                )
                self.answers[self.classified(answer)] += 1

    def classified(self, answer: requests.Response) -> str:
        if answer.status_code == 200:
            right = answer.json()["attributes"]["person.full_name"]["value"] == NAME
            return "right" if right else "wrong"
        retry = "Retry-After" in answer.headers
        return f"{answer.status_code}{' with Retry-After' if retry else ''}"


@contextmanager
def asked_meanwhile(asking: Asking, threads: int) -> Iterator[None]:
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(asking.ask) for _ in range(threads)]
        try:
            yield
        finally:
            asking.ended.set()
            for each in running:
                each.result()


@pytest.fixture
def asking(believe: Callable[..., str], running: Running, client: HubClient) -> Iterator[Asking]:
    believe(personal_id=ID, full_name=NAME, email="an@example.com", ethnicity="01")
    yield Asking(running.url, {"Authorization": f"Bearer {client.token()}"})
    running.process.terminate()
    running.process.wait(timeout=20)
    assert "Traceback" not in running.log.read_text()


def test_look_ups_during_init_are_right_or_said_to_be_repeated(
    asking: Asking, editable: Settings, toggle: Toggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = hub_scripts()
    once, path = {**scripts.once}, "routines/share/search.sql"
    with asked_meanwhile(asking, threads=4):
        for step in range(10):
            toggle.write(full=step % 2 == 1)
            if step % 3 == 0:
                once[f"migrations/9{step}_step.sql"] = f"create table share.step_{step} (id int)"
            changed = Scripts(
                once={**once},
                repeatable={**scripts.repeatable, path: f"{scripts.repeatable[path]}\n-- {step}"},
            )
            monkeypatch.setattr(migrate_module, "hub_scripts", lambda changed=changed: changed)
            assert path in initialise(editable)
    assert {*asking.answers} <= {"right", "503 with Retry-After"}
    assert asking.answers["right"] > 100
    assert asking.answers["503 with Retry-After"] < 10
