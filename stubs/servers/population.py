"""The national population database: JSON shaped after QCVN 109:2017, OAuth2, opaque cursors, tombstones."""

from collections.abc import Sequence

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.hosted_world import HostedWorld
from stubs.servers.protocol.cursors import decode_cursor, encode_cursor
from stubs.servers.protocol.parameters import VIETNAM, Query, iso_instant
from stubs.servers.protocol.refusals import json_answer
from stubs.servers.protocol.tokens import TokenIssuer
from stubs.servers.protocol.windows import wire_records

TOKEN_PATH = "/oauth2/token"
CITIZENS_PATH = "/dancu/v1/congdan"
PAGE_MAXIMUM = 2000
_TRUNCATED_PAGE = 3


class PopulationServer:
    """The register's API.

    Unless `calm`, the first answer to the third page of each full read is cut in the middle, as happens to a
    busy system; asked again, the page is whole.
    """

    def __init__(self, world: HostedWorld, tokens: TokenIssuer, *, calm: bool) -> None:
        self._world = world
        self._tokens = tokens
        self._calm = calm
        self._cut_due = False

    def routes(self) -> list[Route]:
        """The token and the data endpoint."""
        return [
            Route(TOKEN_PATH, self._tokens.issue, methods=["POST"]),
            Route(CITIZENS_PATH, self.citizens, methods=["GET"]),
        ]

    def citizens(self, request: Request) -> Response:
        """A page of citizens: live ones, or since an instant changed ones and tombstones."""
        self._tokens.check(request)
        query = Query(request, "limit", "cursor", "tuThoiDiem", "denThoiDiem")
        limit = query.integer("limit", 1000, minimum=1, maximum=PAGE_MAXIMUM)
        window = query.window("tuThoiDiem", "denThoiDiem", iso_instant)
        full = window[0] is None
        with self._world.reading():
            stream = self._world.stream("population", "citizens")
            selection = stream.select(*window, deleted=not full)
            start = 0
            if (cursor := query.text("cursor")) is not None:
                start = selection.start_after(*decode_cursor("cursor", cursor, stream, window))
            end = start + limit
            more = end < len(selection)
            answer = {
                "ThoiDiemDuLieu": self._world.now.astimezone(VIETNAM).isoformat(),
                "SoCongDan": len(selection),
                "CongDan": citizen_records(selection.page(start, limit)),
                "TiepTheo": encode_cursor(selection.position(end - 1)) if more else None,
            }
        response = json_answer(answer)
        if full and self._is_cut(page=start // limit + 1):
            response = Response(response.body[: len(response.body) // 2], media_type="application/json")
        return response

    def _is_cut(self, page: int) -> bool:
        if page == 1:
            self._cut_due = not self._calm
        due = self._cut_due and page == _TRUNCATED_PAGE
        if due:
            self._cut_due = False
        return due


def citizen_records(page: pl.DataFrame) -> Sequence[object]:
    """A page's records; a deleted one as its tombstone."""
    deleted = page["_deleted"]
    records = wire_records(page)
    if not deleted.any():
        return records
    tombstones = page.select("Id", pl.lit(value=True).alias("DaXoa"), "NgayCapNhat").iter_rows(named=True)
    return [
        tombstone if gone else record
        for record, tombstone, gone in zip(records, tombstones, deleted, strict=True)
    ]
