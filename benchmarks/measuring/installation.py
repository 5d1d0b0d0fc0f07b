"""An installation of docker-compose.yml out of the files that git has: a real engine runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("banking", "customs", "population", "portal", "tax")

MOST_SECONDS = 900.0
"""In which a command ends, such as the one that builds the image and brings all up."""

# No port of this machine is taken: an installation may run beside the test.
OVERRIDE = (
    "services: {api: {ports: !reset []}, airflow-api-server: {ports: !reset []}, proxy: {ports: !reset []}}"
)

# What a repeated read must leave as it is; other tables count runs, or what each start of the API asks.
ROWS = """
select format('%I.%I', schemaname, relname), (xpath('//c/text()', query_to_xml(
    format('select count(*) as c from %I.%I', schemaname, relname), false, true, '')))[1]
from pg_stat_user_tables
where schemaname in ('record', 'truth', 'share') and relname !~ '(^|_)run(_|$)' and relname <> 'asked'
order by 1
"""

# Steers the simulated systems by their control, which nothing outside of their network reaches.
_CONTROL = """
import json, sys, urllib.request
control = json.load(open("/srv/state/systems/control.json"))
answers = []
for method, path, body in json.load(sys.stdin):
    headers = {"Authorization": "Bearer " + control["token"], "Content-Type": "application/json"}
    asked = urllib.request.Request(control["url"] + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        answers.append(json.loads(answer.read() or b"null"))
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Installation:
    """A copy of the checkout whose containers run."""

    folder: Path
    environment: dict[str, str]
    said: list[str]

    def run(
        self, *command: str, status: int = 0, given: str | None = None, seconds: float = MOST_SECONDS
    ) -> str:
        """Run a command in the folder, which must end in time with that status; return what it prints."""
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.folder,
                env=self.environment,
                input=given,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as over:
            said = b"".join(each or b"" for each in (over.stdout, over.stderr)).decode(errors="replace")
            raise AssertionError(f"{command}: has not ended after {seconds:.0f} s\n{said[-3000:]}") from None
        assert done.returncode == status, (
            f"{command}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout + done.stderr

    def compose(
        self, *arguments: str, status: int = 0, given: str | None = None, seconds: float = MOST_SECONDS
    ) -> str:
        """Run `docker compose`."""
        return self.run("docker", "compose", *arguments, status=status, given=given, seconds=seconds)

    def shell(self, *command: str, status: int = 0, given: str | None = None) -> str:
        """Run a command in the operator's shell."""
        shell = ("run", "--rm", "--no-deps", "--no-TTY", "shell")
        return self.compose(*shell, *command, status=status, given=given)

    def query(self, statement: str, database: str) -> list[str]:
        """Run a query as the superuser; return the rows, with | between their columns."""
        psql = ("psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", database, "-Atc")
        return self.compose("exec", "-T", "postgres", *psql, statement).splitlines()

    def control(self, *requests: tuple[str, str, dict[str, Any]]) -> list[Any]:
        """Send requests (method, path, body) to the control of the simulated systems; return the answers."""
        said = self.compose("exec", "-T", "stubs", "python", "-c", _CONTROL, given=json.dumps(requests))
        answers: list[Any] = json.loads(said.splitlines()[-1])
        return answers

    def address(self, service: str) -> str:
        """Return the address of a service in the installation's own network."""
        networks = self.containers()[service]["NetworkSettings"]["Networks"]
        address: str = networks[f"{self.environment['COMPOSE_PROJECT_NAME']}_default"]["IPAddress"]
        return address

    def rows(self) -> list[str]:
        """Return how many rows each table has."""
        found = self.query(ROWS, "oncehub")
        assert len(found) > 10
        return found

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return the containers by service, as the engine describes them."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(self.run("docker", "inspect", *ids))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def unready(self) -> list[str]:
        """Services that should stay up, and are not healthy."""
        return [
            name
            for name, each in self.containers().items()
            if each["HostConfig"]["RestartPolicy"]["Name"] == "always"
            and each["State"].get("Health", {}).get("Status") != "healthy"
        ]

    def not_again(self, service: str, started_at: str) -> list[str]:
        """The service, unless it has started since."""
        state = self.containers()[service]["State"]
        return [] if state["Running"] and state["StartedAt"] > started_at else [service]

    def unfinished(self) -> list[str]:
        """Runs of DAGs that have not ended well, and asset events of which the run has not begun."""
        return self.query(
            "select dag_id || ' ' || state from dag_run where state <> 'success' "
            "union all select 'queued ' || target_dag_id from asset_dag_run_queue",
            "airflow",
        )


def until(empty: Callable[[], list[str]], seconds: float, every: float = 0.5) -> None:
    """Wait until nothing is left, looked for every so many seconds; fail with what is, after `seconds`."""
    give_up = time.monotonic() + seconds
    while left := empty():
        assert time.monotonic() < give_up, f"after {seconds:.0f} s: {left}"
        time.sleep(every)


@contextmanager
def installed(
    folder: Path, project: str, *command: str, override: str = OVERRIDE, **environment: str
) -> Iterator[Installation]:
    """Bring up an installation in `folder` with the command and environment, and take it down at the end.

    Args:
        folder: empty.
        project: names its containers.
        command: that brings it up.
        override: a compose file that the environment's `COMPOSE_FILE` may name as `override.yml`.
        environment: of the command, and of compose.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "override.yml").write_text(override, "utf-8")
    given = {
        name: value for name, value in os.environ.items() if not name.startswith(("ONCEHUB_", "COMPOSE_"))
    }
    given |= {
        "COMPOSE_PROJECT_NAME": project,
        "COMPOSE_FILE": "docker-compose.yml:override.yml",
        "ONCEHUB_SIMULATED_PEOPLE": "2000",
        "ONCEHUB_DATABASE_BUFFERS": "128MB",
    }
    installation = Installation(folder, given | environment, [])
    try:
        installation.said.append(installation.run(*command))
        yield installation
    finally:
        if (folder / ".env").exists():
            installation.compose("--profile", "*", "down", "--volumes", "--timeout", "20")
    left = installation.run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}")
    assert left == ""
