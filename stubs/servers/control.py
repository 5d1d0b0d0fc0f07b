"""The control of the simulated systems: the world's clock and ground truth, planned faults, requests."""

import hmac
from collections.abc import Mapping
from typing import Literal, TypeVar

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.faults import Fault, FaultPlan, RequestLog
from stubs.servers.hosted_world import TRUTH_KINDS, HostedWorld
from stubs.servers.identity import IdentityProvider
from stubs.servers.protocol.refusals import Refusal, json_answer, unauthorised
from stubs.servers.protocol.tokens import TokenIssuer

Body = TypeVar("Body", bound=BaseModel)


class _Advance(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    days: int = Field(default=1, ge=1, le=3650)


class _Correct(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sources: list[Literal["portal", "tax", "customs", "banking"]] = Field(default=[])


class _SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: str = Field(pattern="^[0-9]{12}$")
    nonce: str = Field(min_length=1, max_length=100)


class ControlServer:
    """Endpoints by which tests and the demo control the simulation; the engine never calls them."""

    def __init__(
        self,
        world: HostedWorld,
        token: str,
        plans: Mapping[str, FaultPlan],
        logs: Mapping[str, RequestLog],
        issuers: Mapping[str, TokenIssuer],
        *,
        identity: IdentityProvider,
    ) -> None:
        self._world = world
        self._token = token
        self._plans = plans
        self._logs = logs
        self._issuers = issuers
        self._identity = identity

    def routes(self) -> list[Route]:
        """All control endpoints; each asks for the bearer token."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/advance", self.advance, methods=["POST"]),
            Route("/correct", self.correct, methods=["POST"]),
            Route("/truth/counts", self.truth_counts, methods=["GET"]),
            Route("/truth/{kind}", self.truth, methods=["GET"]),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/tokens", self.expire_tokens, methods=["DELETE"]),
            Route("/identity", self.sign_in, methods=["POST"]),
            Route("/requests", self.requests, methods=["GET"]),
        ]

    async def health(self, request: Request) -> Response:
        """Answers even while the world moves."""
        self._check(request)
        return json_answer({"status": "ok", "now": self._world.now, "generation": self._world.generation})

    async def advance(self, request: Request) -> Response:
        """`{"days": n}` moves the world; answers the counts of events by kind."""
        self._check(request)
        days = _parsed(_Advance, await request.body()).days
        return json_answer(await run_in_threadpool(self._world.advance, days))

    async def correct(self, request: Request) -> Response:
        """`{"sources": [...]}`, or all, spend a day on their discrepancies; answers how many records."""
        self._check(request)
        sources = _parsed(_Correct, await request.body()).sources
        corrected = await run_in_threadpool(self._world.correct, sources)
        return json_answer({"records": corrected})

    def truth(self, request: Request) -> Response:
        """One table of the ground truth as a list of objects."""
        self._check(request)
        kind = next((kind for kind in TRUTH_KINDS if kind == request.path_params["kind"]), None)
        if kind is None:
            raise Refusal(404, {"error": "not_found", "message": f"known are {', '.join(TRUTH_KINDS)}"})
        with self._world.reading():
            table = self._world.truth(kind)
        return json_answer(table.rows(named=True))

    def truth_counts(self, request: Request) -> Response:
        """Counts of the ground truth's rows by kind, method or source."""
        self._check(request)
        with self._world.reading():
            tables = {kind: self._world.truth(kind) for kind in TRUTH_KINDS}
        return json_answer(
            {
                "discrepancies": _counts(tables["discrepancies"], "kind"),
                "links": _counts(tables["links"], "method"),
                "broken": _counts(tables["broken"], "source"),
            }
        )

    async def add_fault(self, request: Request) -> Response:
        """Plans a fault after those already planned for the system."""
        self._check(request)
        fault = _parsed(Fault, await request.body())
        self._plans[fault.system].add(fault)
        return Response(status_code=204)

    async def clear_faults(self, request: Request) -> Response:
        """Removes the planned faults of the system `?system=…`, or of all."""
        self._check(request)
        system = request.query_params.get("system")
        if system is not None and system not in self._plans:
            raise Refusal(400, {"error": "invalid_parameter", "parameter": "system", "message": "not known"})
        for name, plan in self._plans.items():
            if system in (None, name):
                plan.clear()
        return Response(status_code=204)

    async def expire_tokens(self, request: Request) -> Response:
        """Makes every OAuth2 token expire now."""
        self._check(request)
        for issuer in self._issuers.values():
            issuer.expire_all()
        return Response(status_code=204)

    async def sign_in(self, request: Request) -> Response:
        """`{"number": ..., "nonce": ...}` signs a citizen of the register in; answers the ID token."""
        self._check(request)
        asked = _parsed(_SignIn, await request.body())
        with self._world.reading():
            numbers = self._world.stream("population", "citizens").live()["SoDinhDanh"]
        if asked.number not in numbers:
            raise Refusal(404, {"error": "not_found", "message": "nobody in the register has this number"})
        return json_answer({"id_token": self._identity.id_token(asked.number, asked.nonce)})

    async def requests(self, request: Request) -> Response:
        """Counts of requests by system."""
        self._check(request)
        return json_answer({system: log.counts() for system, log in self._logs.items()})

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise unauthorised("invalid_token", "the control token is required", challenge="Bearer")


def _counts(table: pl.DataFrame, by: str) -> dict[str, int]:
    return dict(table[by].value_counts().sort(by).iter_rows())


def _parsed(shape: type[Body], body: bytes) -> Body:
    try:
        return shape.model_validate_json(body or b"{}")
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        parameter = ".".join(map(str, first["loc"])) or "body"
        message = {"error": "invalid_parameter", "parameter": parameter, "message": first["msg"]}
        raise Refusal(400, message) from None
