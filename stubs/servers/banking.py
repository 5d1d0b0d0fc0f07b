"""The banks' open API: mutual TLS, signed answers, ISO 20022 names, Link pages, 429 with Retry-After."""

from itertools import count

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.hosted_world import HostedWorld
from stubs.servers.protocol.cursors import decode_cursor, encode_cursor
from stubs.servers.protocol.parameters import Query, utc_instant
from stubs.servers.protocol.refusals import Refusal, json_answer
from stubs.servers.protocol.signed_responses import AnswerSigner
from stubs.servers.protocol.windows import wire_records

PAGE_MAXIMUM = 1000
THROTTLE_EVERY = 25


class BankingServer:
    """The open banking API; the client's certificate is checked by the TLS layer below it.

    Unless `calm`, every 25th request is answered 429 with `Retry-After: 1`.
    """

    def __init__(self, world: HostedWorld, signer: AnswerSigner, *, calm: bool) -> None:
        self._world = world
        self._signer = signer
        self._calm = calm
        self._requests = count(1)

    def routes(self) -> list[Route]:
        """The data endpoint."""
        return [Route("/open-banking/v1/accounts", self.accounts, methods=["GET"])]

    def accounts(self, request: Request) -> Response:
        """A page of accounts; with `changed_since` removed ones (RMVD) come too."""
        self._throttle()
        query = Query(request, "limit", "page_token", "changed_since", "changed_before")
        limit = query.integer("limit", 500, minimum=1, maximum=PAGE_MAXIMUM)
        window = query.window("changed_since", "changed_before", utc_instant)
        headers = {}
        with self._world.reading():
            stream = self._world.stream("banking", "accounts")
            selection = stream.select(*window, deleted=window[0] is not None)
            start = 0
            if (token := query.text("page_token")) is not None:
                start = selection.start_after(*decode_cursor("page_token", token, stream, window))
            end = start + limit
            accounts = wire_records(selection.page(start, limit))
            if end < len(selection):
                following = request.url.include_query_params(
                    page_token=encode_cursor(selection.position(end - 1))
                )
                headers["Link"] = f'<{following}>; rel="next"'
        return self._signer.sign(json_answer({"Accounts": accounts}, headers=headers))

    def _throttle(self) -> None:
        if next(self._requests) % THROTTLE_EVERY == 0 and not self._calm:
            raise Refusal(429, {"error": "too_many_requests", "message": "slow down"}, {"Retry-After": "1"})
