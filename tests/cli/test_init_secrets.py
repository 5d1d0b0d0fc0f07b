"""`oncehub init-secrets`: the file `.env` of an installation with containers."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

from oncehub.encryption.secrets import decode_key

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, stdin: str = "") -> str:
    command = [sys.executable, "-m", "oncehub.cli", "init-secrets", *arguments]
    return subprocess.run(command, check=True, input=stdin, capture_output=True, text=True, cwd=ROOT).stdout


def values(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_every_value_of_the_example_is_drawn_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    run(str(file))
    made = values(file.read_text("utf-8"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.keys() == values((ROOT / ".env.example").read_text("utf-8")).keys()
    assert len(set(made.values())) == len(made)
    for name, value in made.items():
        if name.startswith("ONCEHUB_KEY_"):
            decode_key(value, name)
        elif name.startswith("ONCEHUB_") and not name.endswith("_FERNET_KEY"):
            assert re.fullmatch(r"[A-Za-z0-9_-]{32}", value), name


def test_what_a_file_has_stays_and_what_it_lacks_is_added(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    run(str(file))
    whole = file.read_text("utf-8")
    kept = re.sub(r"^ONCEHUB_KEY_TOKEN=.*\n", "", whole, flags=re.MULTILINE)
    kept = re.sub(r"^(ONCEHUB_KEY_DATA)=.*$", r"\1=", kept, flags=re.MULTILINE)
    completed = run("-", stdin=kept)
    drawn = {"ONCEHUB_KEY_TOKEN", "ONCEHUB_KEY_DATA"}
    assert values(completed).keys() == values(whole).keys()
    assert {name for name, value in values(completed).items() if value != values(whole)[name]} == drawn
    assert run("-", stdin=completed) == completed


def test_the_profile_is_changed_by_name_only(tmp_path: Path) -> None:
    made = run("-", "--profile", "real")
    assert values(made)["COMPOSE_PROFILES"] == "real"
    assert run("-", stdin=made) == made
    assert values(run("-", "--profile", "simulated", stdin=made)) == values(made) | {
        "COMPOSE_PROFILES": "simulated",
        "COMPOSE_FILE": "docker-compose.yml:docker-compose.simulated.yml",
    }


def test_what_is_trusted_with_simulated_systems_goes_with_their_profile(tmp_path: Path) -> None:
    made = run("-")
    files = values(made)["COMPOSE_FILE"].split(":")
    assert all((ROOT / file).is_file() for file in files)
    # Also where the profile is written by hand; and an installation of a version without the line gets it.
    by_hand = made.replace("COMPOSE_PROFILES=simulated", "COMPOSE_PROFILES=real")
    assert "COMPOSE_FILE" not in values(run("-", stdin=by_hand))
    former = re.sub(r"^COMPOSE_FILE=.*\n", "", made, flags=re.MULTILINE)
    assert values(run("-", stdin=former)) == values(made)
    assert values(run("-", "--profile", "real", "--executor", "celery", stdin=former))["COMPOSE_FILE"] == (
        "docker-compose.yml:docker-compose.workers.yml"
    )
    # Files of the operator's stay.
    own = re.sub(r"^(COMPOSE_FILE=.*)$", r"\1:own.yml", by_hand, flags=re.MULTILINE)
    assert values(run("-", stdin=own))["COMPOSE_FILE"] == "docker-compose.yml:own.yml"


def test_workers_are_added_and_taken_away_by_name(tmp_path: Path) -> None:
    made = run("-")
    with_workers = run("-", "--executor", "celery", stdin=made)
    files = values(with_workers)["COMPOSE_FILE"].split(":")
    assert all((ROOT / file).is_file() for file in files)
    assert (
        run("-", stdin=with_workers) == run("-", "--executor", "celery", stdin=with_workers) == with_workers
    )
    assert run("-", "--executor", "local", stdin=with_workers) == made
