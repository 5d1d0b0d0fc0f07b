"""The national public service portal: JSON, OAuth2 with a scope, offset pages with `updated_from`."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.hosted_world import HostedWorld
from stubs.servers.protocol.parameters import Query, iso_instant
from stubs.servers.protocol.refusals import json_answer
from stubs.servers.protocol.tokens import TokenIssuer
from stubs.servers.protocol.windows import wire_records

TOKEN_PATH = "/oauth/token"
SCOPE = "dvcqg.read"
PAGE_MAXIMUM = 1000


class PortalServer:
    """The portal's API over accounts and dossiers (hồ sơ)."""

    def __init__(self, world: HostedWorld, tokens: TokenIssuer) -> None:
        self._world = world
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """The token endpoint and one data endpoint a stream."""
        return [
            Route(TOKEN_PATH, self._tokens.issue, methods=["POST"]),
            Route("/api/v1/accounts", partial(self.records, "accounts"), methods=["GET"]),
            Route("/api/v1/dossiers", partial(self.records, "dossiers"), methods=["GET"]),
        ]

    def records(self, stream: str, request: Request) -> Response:
        """A page of a stream; with `updated_from` the deleted ones come too."""
        self._tokens.check(request)
        query = Query(request, "offset", "limit", "updated_from", "updated_to")
        offset = query.integer("offset", 0, minimum=0)
        limit = query.integer("limit", 500, minimum=1, maximum=PAGE_MAXIMUM)
        window = query.window("updated_from", "updated_to", iso_instant)
        with self._world.reading():
            selection = self._world.stream("portal", stream).select(*window, deleted=window[0] is not None)
            page = wire_records(selection.page(offset, limit))
        return json_answer({"tong": len(selection), "duLieu": page})
