"""The process of the systems: its files, its start, its end."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

import stubs
from stubs.client import Systems, SystemsError
from stubs.processes import Started

ROOT = Path(stubs.__file__).parent.parent


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def command_of(path):
    try:
        return path.read_text()
    except OSError:  # the process ended meanwhile
        return ""


def wait_until_gone(pid, seconds=20):
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def test_the_files_with_secrets_are_the_owners_alone(systems):
    extra = systems.connections["banking"]["extra"]
    key = Path(extra["client_key"])
    state = key.parent.parent
    for file in (key, state / "connections.json", state / "control.json", state / "tls" / "server-key.pem"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_everything_listens_on_loopback_only(systems):
    hosts = {connection["host"].split("://")[1].split(":")[0] for connection in systems.connections.values()}
    assert hosts == {"127.0.0.1"}
    listening = Path(f"/proc/{systems.pid}/net/tcp").read_text().splitlines()[1:]
    ports = {
        f"{int(connection['host'].rsplit(':', 1)[1]):04X}" for connection in systems.connections.values()
    }
    addresses = {line.split()[1] for line in listening if line.split()[3] == "0A"}
    own = {address for address in addresses if address.split(":")[1] in ports}
    assert {address.split(":")[0] for address in own} == {"0100007F"}
    assert len(own) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(tmp_path, number):
    systems = Systems.start(tmp_path, 500, timeout=60)
    url = systems.connections["customs"]["host"] + "/exports/manifest.json"
    with requests.Session() as session:
        session.get(url, timeout=30)
        os.kill(systems.pid, number)
        assert systems.stop() == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    assert "Traceback" not in (tmp_path / "stubs.log").read_text()


def test_starting_again_over_the_same_folder_gives_new_credentials(tmp_path):
    with Systems.start(tmp_path, 500, timeout=60) as first:
        secrets = first.connections["tax"]["password"]
        os.kill(first.pid, signal.SIGKILL)
    with Systems.start(tmp_path, 500, timeout=60) as second:
        assert second.connections["tax"]["password"] != secrets
        assert second.health()["status"] == "ok"


def serve(tmp_path, *options):
    """Runs the systems until they are ready, ends them, and gives their connections."""
    (tmp_path / "control.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "stubs", "serve", "--people", "500", "--state", str(tmp_path), *options]
    started = Started.start(command, tmp_path / "log", cwd=ROOT)
    try:
        started.wait_until((tmp_path / "control.json").exists, 60)
        connections = json.loads((tmp_path / "connections.json").read_bytes())
        extra = connections["banking"]["extra"]
        answer = requests.get(
            connections["banking"]["host"].replace("//localhost", "//127.0.0.1")
            + "/open-banking/v1/accounts",
            cert=(extra["client_certificate"], extra["client_key"]),
            verify=extra["ca"],
            timeout=30,
        )
        assert answer.status_code == 200
        without_ports = re.sub(r"(://\w+):\d+", r"\1", json.dumps(connections))
        return json.loads(without_ports), Path(extra["jws_public_key"]).read_bytes()
    finally:
        assert started.end(20) == 0


def test_credentials_and_keys_that_are_kept_are_those_of_the_start_before(tmp_path):
    first = serve(tmp_path, "--keep", "--name", "localhost")
    assert serve(tmp_path, "--keep", "--name", "localhost") == first
    assert {connection["host"] for connection in first[0].values()} == {"https://localhost"}


def test_leaving_by_an_exception_leaves_no_process(tmp_path):
    pids = []

    def fail_inside():
        with Systems.start(tmp_path, 500, timeout=60) as systems:
            pids.append(systems.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert not is_alive(pids[0])


def test_the_systems_end_with_a_parent_that_was_killed(tmp_path):
    script = (
        "import os, pathlib, time; from stubs.client import Systems\n"
        f"print(Systems.start(pathlib.Path({str(tmp_path)!r}), 500, timeout=60).pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    assert wait_until_gone(pid)


def test_a_start_that_takes_too_long_is_an_error_and_leaves_no_process(tmp_path):
    with pytest.raises(SystemsError, match="not ready"):
        Systems.start(tmp_path, 500, timeout=0)
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in command_of(path)]


def test_a_port_in_use_is_one_clear_line_and_status_1(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "stubs", "serve", "--people", "500", "--state", str(tmp_path)]
        ended = subprocess.run(
            [*command, "--port-base", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"stubs: port {port} for population: Address already in use"]
    assert not (tmp_path / "connections.json").exists()


def test_the_error_of_a_failed_start_reaches_the_caller(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemsError, match=r"status 1.*Address already in use"):
            Systems.start(tmp_path, 500, port_base=taken.getsockname()[1], timeout=60)


def test_a_state_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        "-m",
        "stubs",
        "serve",
        "--people",
        "500",
        "--state",
        str(tmp_path / "file" / "x"),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "Not a directory" in ended.stderr
