"""The applications of all systems, each watched for faults and counted, and of the control."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from stubs.servers import population, portal
from stubs.servers.banking import BankingServer
from stubs.servers.control import ControlServer
from stubs.servers.credentials import Credentials
from stubs.servers.customs import CustomsServer
from stubs.servers.faults import FaultPlan, RequestLog, WatchedApp
from stubs.servers.hosted_world import SYSTEMS, HostedWorld
from stubs.servers.identity import IdentityProvider
from stubs.servers.population import PopulationServer
from stubs.servers.portal import PortalServer
from stubs.servers.protocol.refusals import Refusal, answer_http_error, answer_refusal
from stubs.servers.protocol.signed_responses import AnswerSigner
from stubs.servers.protocol.tokens import TokenIssuer
from stubs.servers.tax import SignatureCheck, TaxServer

_TOKEN_PATHS = (population.TOKEN_PATH, portal.TOKEN_PATH)


def applications(
    world: HostedWorld,
    credentials: Credentials,
    signer: AnswerSigner,
    identity: IdentityProvider,
    *,
    calm: bool,
) -> dict[str, ASGIApp]:
    """The ASGI applications by system, and `control`.

    `signer` is the banks', `identity` the portal's identity provider; `calm` leaves out what systems do wrong
    by default.
    """
    issuers = {
        "population": TokenIssuer(*credentials.population),
        "portal": TokenIssuer(*credentials.portal, required_scope=portal.SCOPE),
    }
    routes = {
        "population": PopulationServer(world, issuers["population"], calm=calm).routes(),
        "portal": PortalServer(world, issuers["portal"]).routes() + identity.routes(),
        "tax": TaxServer(world, SignatureCheck(*credentials.tax)).routes(),
        "customs": CustomsServer(world, credentials.customs).routes(),
        "banking": BankingServer(world, signer, calm=calm).routes(),
    }
    plans = {system: FaultPlan() for system in SYSTEMS}
    logs = {system: RequestLog() for system in SYSTEMS}
    apps: dict[str, ASGIApp] = {
        system: WatchedApp(_application(routes[system]), plans[system], logs[system], exempt=_TOKEN_PATHS)
        for system in SYSTEMS
    }
    apps["control"] = _application(
        ControlServer(world, credentials.control, plans, logs, issuers, identity=identity).routes()
    )
    return apps


def _application(routes: list[Route]) -> Starlette:
    handlers = {Refusal: answer_refusal, HTTPException: answer_http_error}
    return Starlette(routes=routes, exception_handlers=handlers)
