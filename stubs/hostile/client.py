"""Starts, steers and stops a hostile source in this process; it is reached over real HTTP all the same."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from stubs.hostile.app import Asked, Elsewhere, Simulation, source_application
from stubs.hostile.auth.access import SCOPE, Check, Credentials, make_check
from stubs.hostile.auth.oauth import AssertionCheck, ClientIssuer, Method
from stubs.hostile.control import control_application
from stubs.hostile.register.register import LandRegister
from stubs.hostile.serving import ServerThread
from stubs.hostile.steering import Steered
from stubs.hostile.variant import Variant

_METHODS: dict[str, Method] = {
    "oauth2_basic": "client_secret_basic",
    "oauth2_post": "client_secret_post",
    "oauth2_jwt": "private_key_jwt",
}


class HostileSource(Steered):
    """A running source over one register; a context manager that stops it on leaving.

    Attributes:
        connection: how to reach it and with which credentials, in the form of an Airflow connection; the host
            of a file drop is its folder.
        control: `url` and `token` of its control.
    """

    def __init__(
        self, simulation: Simulation, credentials: Credentials, state_dir: Path, *, port_base: int = 0
    ) -> None:
        super().__init__(simulation, state_dir / "drop")
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

    def strayed(self) -> list[Asked]:
        """Requests that followed a link or redirect of the source to another origin."""
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


def _issuer(variant: Variant, credentials: Credentials) -> ClientIssuer | None:
    method = _METHODS.get(variant.auth)
    if method is None:
        return None
    assertions = None
    if isinstance(credentials.key, ec.EllipticCurvePrivateKey):
        assertions = AssertionCheck(credentials.login, credentials.key.public_key())
    client = credentials.login, credentials.password
    return ClientIssuer(client, method, assertions, scope=SCOPE, seconds=variant.token_seconds)
