"""Starts, steers and stops a hostile source in this process; it is reached over real HTTP all the same."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from stubs.hostile.app import Asked, Elsewhere, Simulation, source_application
from stubs.hostile.auth.access import SCOPE, Check, Credentials, make_check
from stubs.hostile.auth.oauth import AssertionCheck, ClientIssuer, Method
from stubs.hostile.control import control_application
from stubs.hostile.exports import drop_files
from stubs.hostile.register.holders import Fields
from stubs.hostile.register.register import Hidden, LandRegister
from stubs.hostile.serving import ServerThread
from stubs.hostile.variant import Variant
from stubs.hostile.wire import Record, document_record, holder_record

_METHODS: dict[str, Method] = {
    "oauth2_basic": "client_secret_basic",
    "oauth2_post": "client_secret_post",
    "oauth2_jwt": "private_key_jwt",
}


class HostileSource:
    """A running source over one register; a context manager that stops it on leaving.

    Attributes:
        connection: how to reach it and with which credentials, in the form of an Airflow connection; the host
            of a file drop is its folder.
        control: `url` and `token` of its control.
        variant: how it is served.
    """

    def __init__(
        self, simulation: Simulation, credentials: Credentials, state_dir: Path, *, port_base: int = 0
    ) -> None:
        self.variant = simulation.variant
        self._simulation = simulation
        self._folder = state_dir / "drop"
        self._elsewhere = Elsewhere()
        issuer = _issuer(self.variant, credentials)
        check: Check = make_check(self.variant, credentials, issuer)
        token, control = control_application(self)
        apps: dict[str, ASGIApp] = {
            "source": source_application(simulation, check, issuer),
            "elsewhere": self._elsewhere,
            "control": control,
        }
        tls = {"source": credentials.tls} if credentials.tls else {}
        self._server = ServerThread(apps, tls=tls, port_base=port_base)
        simulation.elsewhere = self._server.urls["elsewhere"]
        self.control = {"url": self._server.urls["control"], "token": token}
        self.connection: dict[str, Any] = credentials.connection(self._server.urls["source"], self.variant)
        if self.variant.transport == "drop":
            self.connection = {"conn_type": "file", "host": self._folder.as_uri(), "extra": {}}

    @classmethod
    def start(
        cls,
        state_dir: Path,
        *,
        variant: Variant | None = None,
        plants: Iterable[str] = (),
        people: int = 200,
        seed: int = 1,
        port_base: int = 0,
    ) -> Self:
        """Makes a register and serves it.

        Args:
            state_dir: where private keys, certificates and dropped files go.
            variant: how to serve it; the source that `API.md` describes unless given.
            plants: what is wrong from the beginning, by name.
            people: holders in the register.
            seed: of the register; the same seed gives the same one.
            port_base: first of three consecutive ports; 0 takes free ones.

        Raises:
            UnknownPlantError: a plant does not exist or cannot show on the variant.
            PortInUseError: a port that was asked for is taken.
        """
        state_dir = state_dir.absolute()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        variant = variant or Variant()
        simulation = Simulation(variant, LandRegister(people, seed))
        for name in plants:
            simulation.plant(name)
        source = cls(simulation, Credentials.make(variant, state_dir), state_dir, port_base=port_base)
        source.write_drop()
        return source

    @property
    def now(self) -> datetime:
        """The register's clock, UTC; only what is done to the register moves it."""
        return self._simulation.register.now

    def records(self) -> list[Record]:
        """The truth: the living, committed records as JSON would send them, in the order of their keys."""
        return [holder_record(entry, self.variant) for entry in self._simulation.register.living()]

    def documents(self, key: str) -> list[Record]:
        """The truth of a holder's documents.

        Raises:
            KeyError: there is no such holder.
        """
        documents = self._simulation.register.documents(key)
        if documents is None:
            raise KeyError(key)
        return [document_record(entry, self.variant) for entry in documents]

    def add(self, count: int = 1, *, at: datetime | None = None, hidden: Hidden | None = None) -> list[str]:
        """Adds holders; their keys.

        Args:
            count: how many.
            at: when all of them were stated, in whole seconds; one second after the other unless given.
            hidden: until when they are not committed yet, though stated.
        """
        return self._simulation.register.add(count, at=at, hidden=hidden)

    def change(self, which: int | Sequence[str] = 1, **fields: object) -> list[str]:
        """States holders anew, with `fields` or each with another phone.

        Args:
            which: their keys, or so many of those stated longest ago.
            fields: new values, by field.

        Returns:
            Their keys.
        """
        keys = self._chosen(which)
        self._simulation.register.change(keys, Fields(fields) or None)
        return keys

    def delete(self, which: int | Sequence[str] = 1) -> list[str]:
        """Deletes holders, chosen as in `change`; their keys."""
        keys = self._chosen(which)
        self._simulation.register.delete(keys)
        return keys

    def add_document(self, key: str) -> None:
        """Gives a holder another document, and states the holder anew."""
        self._simulation.register.add_document(key)

    def advance(self, by: timedelta) -> None:
        """Moves the register's clock."""
        self._simulation.register.advance(by)

    def write_drop(self) -> None:
        """Writes the present snapshot into a file drop's folder, in the place of the last; else nothing."""
        if self.variant.transport == "drop":
            drop_files(self._simulation.export(), self._folder)

    def plant(self, name: str) -> None:
        """Plants one more way to misbehave.

        Raises:
            UnknownPlantError: there is none of that name, or it cannot show on the variant.
        """
        self._simulation.plant(name)

    def clear(self) -> None:
        """Takes out all that is planted."""
        self._simulation.clear()

    def requests(self) -> list[Asked]:
        """All requests so far: method, path, status, and whether they carried credentials."""
        return self._simulation.asked()

    def strayed(self) -> list[Asked]:
        """Requests that followed the source's word to another origin."""
        return list(self._elsewhere.asked)

    def stop(self) -> None:
        """Stops serving; may be called again."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _chosen(self, which: int | Sequence[str]) -> list[str]:
        if not isinstance(which, int):
            return list(which)
        living = sorted(self._simulation.register.living(), key=lambda entry: entry.sequence)
        return [entry.key for entry in living[:which]]


def _issuer(variant: Variant, credentials: Credentials) -> ClientIssuer | None:
    method = _METHODS.get(variant.auth)
    if method is None:
        return None
    assertions = None
    if isinstance(credentials.key, ec.EllipticCurvePrivateKey):
        assertions = AssertionCheck(credentials.login, credentials.key.public_key())
    client = credentials.login, credentials.password
    return ClientIssuer(client, method, assertions, scope=SCOPE, seconds=variant.token_seconds)
