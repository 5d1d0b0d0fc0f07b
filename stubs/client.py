"""Starts, controls and stops the simulated systems from another process."""

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import requests

from stubs.processes import Started

_REPOSITORY = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 10

Connections = dict[str, dict[str, Any]]


class SystemsError(RuntimeError):
    """The simulated systems did not start, or refused a control request."""


class Systems:
    """Five running systems over one world; a context manager that stops them on leaving.

    The process ends with this one, whichever way this one ends. `identity_providers` is the folder of what a
    hub needs to believe the portal's identity provider.
    """

    def __init__(self, started: Started, connections: Connections, control: dict[str, str]) -> None:
        self.connections = connections
        self._started = started
        self._url = control["url"]
        self.identity_providers = Path(control["identity_providers"])
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {control['token']}"

    @classmethod
    def start(
        cls,
        state_dir: Path,
        people: int = 20_000,
        seed: int = 1,
        *,
        port_base: int = 0,
        calm: bool = False,
        timeout: float = 300,
    ) -> Self:
        """Starts the process and waits until all systems listen.

        Args:
            state_dir: where connection files, certificates and the process's log go.
            people: size of the register.
            seed: of the world; the same seed gives the same world.
            port_base: first of six consecutive ports; 0 takes free ones.
            calm: without the truncated page and the 429s that the systems show by default.
            timeout: seconds to wait until ready.

        Raises:
            SystemsError: the process ended or was not ready in time; the message holds its last lines.
        """
        state_dir = state_dir.absolute()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = state_dir / "connections.json", state_dir / "control.json"
        for file in files:
            file.unlink(missing_ok=True)
        log = state_dir / "stubs.log"
        log.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "stubs", "serve"),
            *("--people", str(people), "--seed", str(seed), "--state", str(state_dir)),
            *("--port-base", str(port_base), "--parent", str(os.getpid())),
            *(["--calm"] if calm else []),
        ]
        started = Started.start(command, log, cwd=_REPOSITORY)
        try:
            started.wait_until(files[1].exists, timeout)
            connections, control = (json.loads(file.read_bytes()) for file in files)
        except (ChildProcessError, TimeoutError) as problem:
            started.end(_STOP_SECONDS)
            raise SystemsError(f"the simulated systems: {problem}") from None
        except BaseException:
            started.end(_STOP_SECONDS)
            raise
        return cls(started, connections, control)

    @property
    def pid(self) -> int:
        """The process id of the systems."""
        return self._started.process.pid

    def health(self) -> dict[str, Any]:
        """`status`, `now` (the world's clock) and `generation` (how often it was advanced)."""
        answer: dict[str, Any] = self._json("GET", "/health")
        return answer

    def advance(self, days: int = 1) -> dict[str, int]:
        """Moves the world by days; counts of events by kind."""
        answer: dict[str, int] = self._json("POST", "/advance", {"days": days})
        return answer

    def correct(self, *sources: str) -> int:
        """Lets these sources, or all, correct discrepancies for a day; returns the number of records."""
        answer: dict[str, int] = self._json("POST", "/correct", {"sources": sources})
        return answer["records"]

    def truth(self, kind: Literal["discrepancies", "links", "broken"]) -> list[dict[str, Any]]:
        """One table of the ground truth of the world's present state."""
        answer: list[dict[str, Any]] = self._json("GET", f"/truth/{kind}")
        return answer

    def truth_counts(self) -> dict[str, dict[str, int]]:
        """Counts of the ground truth: discrepancies by kind, links by method, broken records by source."""
        answer: dict[str, dict[str, int]] = self._json("GET", "/truth/counts")
        return answer

    def faults(
        self,
        system: str,
        kind: Literal["status", "slow", "truncate", "nonsense", "drop"],
        *,
        count: int = 1,
        after: int = 0,
        status: int = 503,
        retry_after: int | Literal["http-date"] | None = None,
        seconds: float = 2,
    ) -> None:
        """Makes the next `count` data requests to a system misbehave, after `after` healthy ones."""
        fault = {"system": system, "kind": kind, "count": count, "after": after, "status": status}
        self._send("POST", "/faults", {**fault, "retry_after": retry_after, "seconds": seconds})

    def sign_in(self, number: str, nonce: str) -> str:
        """Signs a citizen of the register in at the portal's identity provider; the ID token."""
        answer: dict[str, str] = self._json("POST", "/identity", {"number": number, "nonce": nonce})
        return answer["id_token"]

    def clear_faults(self, system: str | None = None) -> None:
        """Removes the planned faults of a system, or of all."""
        self._send("DELETE", f"/faults?system={system}" if system else "/faults")

    def expire_tokens(self) -> None:
        """Makes every OAuth2 token expire now."""
        self._send("DELETE", "/tokens")

    def request_counts(self) -> dict[str, list[dict[str, Any]]]:
        """Per system, `method`, `path`, `status` (None where dropped) and `count` of the requests."""
        answer: dict[str, list[dict[str, Any]]] = self._json("GET", "/requests")
        return answer

    def stop(self) -> int:
        """Stops the process, by SIGKILL if it does not end; returns its exit status. May be called again."""
        self._session.close()
        return self._started.end(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._send(method, path, body).json()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        response = self._session.request(method, self._url + path, json=body, timeout=600)
        if not response.ok:
            raise SystemsError(f"{method} {path} answered {response.status_code}: {response.text}")
        return response
