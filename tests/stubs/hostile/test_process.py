"""The hostile source as a person starts it, and its control."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

import stubs
from stubs.hostile.client import HostileSource
from stubs.hostile.plants import KNOWN, UnknownPlantError
from stubs.hostile.variant import Variant

ROOT = Path(stubs.__file__).parents[2]
COMMAND = [sys.executable, "-m", "stubs.hostile"]


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def running(*arguments):
    """A source in a process of its own, and what it says of itself."""
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            while not lines or lines[-1] != "}\n":
                lines.append(process.stdout.readline())
                assert lines[-1], "ended before it was ready"
            yield json.loads("".join(lines)), process
        finally:
            process.send_signal(signal.SIGTERM)


class Control:
    """The control of a source."""

    def __init__(self, control):
        self.url = control["url"]
        self.headers = {"Authorization": f"Bearer {control['token']}"}

    def __call__(self, method, path, **body):
        return requests.request(method, self.url + path, headers=self.headers, json=body or None, timeout=30)


def test_a_source_from_the_command_line_is_as_it_was_asked_for():
    arguments = ["--people", "7", "--seed", "3", "--auth", "none", "--format", "csv", "--delimiter", ";"]
    arguments += ["--pages", "none", "--total", "none", "--bom", "true", "--plant", "unreadable_time"]
    with running(*arguments) as (said, process):
        body = requests.get(f"{said['connection']['host']}/holders", timeout=30).content
        assert body.startswith(b"\xef\xbb\xbfmaSo;hoTen;")
        assert body.count(b"\r\n") == 8
    assert process.returncode == 0


def test_a_file_drop_from_the_command_line_is_a_folder(tmp_path):
    with running("--transport", "drop", "--format", "jsonl", "--state", str(tmp_path)) as (said, _):
        assert said["connection"]["host"] == (tmp_path / "drop").as_uri()
        assert len(list((tmp_path / "drop").glob("*.jsonl"))) == 3


def test_everything_that_can_be_planted_is_listed_with_what_it_does():
    lines = run("--list").stdout.splitlines()
    assert {line.split()[0] for line in lines} == KNOWN.keys()
    assert len(lines) == len(KNOWN)
    assert all(len(line.split()) > 4 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--plant", "nothing"], "there is no plant 'nothing'"),
        (["--plant", "entity_bomb"], "entity_bomb shows only with xml"),
        (["--format", "csv"], "total, count and more need room in the body"),
        (["--page-cap", "0"], "page_cap Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_started_is_said_in_one_line(arguments, said):
    ended = run(*arguments)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_source_is_steered_over_http(tmp_path):
    with HostileSource.start(tmp_path, variant=Variant(auth="none"), people=5) as source:
        control = Control(source.control)
        before = source.now
        for path, body in (
            ("/add", {"count": 2}),
            ("/delete", {}),
            ("/change", {"count": 3}),
            ("/advance", {"count": 9}),
        ):
            assert control("POST", path, **body).status_code == 204
        assert len(source.records()) == 6
        assert (source.now - before).total_seconds() == 2 + 1 + 3 + 9
        assert control("GET", "/records").json() == source.records()
        requests.get(f"{source.connection['host']}/position", timeout=30)
        assert [asked["path"] for asked in control("GET", "/requests").json()] == ["/position"]


def test_a_plant_is_planted_and_taken_out_over_http(tmp_path):
    with HostileSource.start(tmp_path, variant=Variant(auth="none"), people=5) as source:
        control = Control(source.control)
        target = f"{source.connection['host']}/position"
        assert control("POST", "/plants/forbidden_token").status_code == 204
        assert [requests.get(target, timeout=30).status_code for _ in range(2)] == [200, 403]
        assert control("DELETE", "/plants").status_code == 204
        assert requests.get(target, timeout=30).status_code == 200


def test_the_control_refuses_what_it_does_not_know(tmp_path):
    with HostileSource.start(tmp_path, people=5) as source:
        control = Control(source.control)
        assert control("POST", "/explode").status_code == 404
        assert control("POST", "/add", number=3).json()["parameter"] == "number"
        assert control("POST", "/plants/nothing").json()["error"] == "unknown_plant"
        control.headers = {}
        for method, path in (("GET", "/records"), ("POST", "/add"), ("DELETE", "/plants")):
            assert control(method, path).status_code == 401


def test_a_plant_that_cannot_show_is_refused(tmp_path):
    with pytest.raises(UnknownPlantError, match="with xml"):
        HostileSource.start(tmp_path, plants=["external_entity"])


def test_several_plants_grow_side_by_side(tmp_path):
    plants = ["flaky", "unknown_field", "promises_more"]
    with HostileSource.start(tmp_path, variant=Variant(auth="none"), plants=plants, people=60) as source:
        target = f"{source.connection['host']}/holders"
        first, second = (requests.get(target, timeout=30) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 500)
        assert first.json()["data"]["total"] == 67
        assert any("ghiChu" in record for record in first.json()["data"]["items"])


def test_no_plant_is_known_under_two_names_or_without_a_description():
    assert len(set(KNOWN.values())) == len(KNOWN)
    for name, plant in KNOWN.items():
        assert plant.name == name
        assert plant.description().endswith(".")
