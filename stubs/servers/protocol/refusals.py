"""What a server says when it refuses a request: a status, a JSON body and headers."""

from collections.abc import Mapping

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


class Refusal(Exception):
    """A request that is answered with an error: `status`, a JSON `body` and extra `headers`."""

    def __init__(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def bad_parameter(parameter: str, message: str) -> Refusal:
    """400, naming the query parameter that is wrong."""
    return Refusal(400, {"error": "invalid_parameter", "parameter": parameter, "message": message})


def unauthorised(error: str, message: str, *, challenge: str | None = None) -> Refusal:
    """401, with a `WWW-Authenticate` header where the scheme has a challenge."""
    headers = {"WWW-Authenticate": challenge} if challenge else None
    return Refusal(401, {"error": error, "message": message}, headers)


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; `content` may hold `orjson.Fragment` parts, sent verbatim."""
    return Response(orjson.dumps(content), status, dict(headers or {}), media_type="application/json")


def answer_refusal(_request: Request, refusal: Exception) -> Response:
    """Exception handler for `Refusal`."""
    assert isinstance(refusal, Refusal)
    return json_answer(refusal.body, refusal.status, refusal.headers)


def answer_http_error(_request: Request, error: Exception) -> Response:
    """Exception handler for the routing errors of Starlette (404 and 405), as JSON like every other error."""
    assert isinstance(error, HTTPException)
    body = {"error": "not_found" if error.status_code == 404 else "http_error", "message": error.detail}
    return json_answer(body, error.status_code, error.headers)
