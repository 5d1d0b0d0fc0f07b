"""The listings: from a request through selection, page and format to an answer, past whatever is planted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

from stubs.hostile.auth.access import KEY_PARAMETER
from stubs.hostile.formats import media_type, packed, rendered
from stubs.hostile.pages import (
    OrderOf,
    Page,
    Question,
    asked_place,
    by_sequence,
    by_time,
    cut,
    position_parameters,
)
from stubs.hostile.plants import Turn
from stubs.hostile.register.register import Entry
from stubs.hostile.variant import Variant
from stubs.hostile.wire import DOCUMENT, HOLDER, Record, document_record, holder_record, time_reader
from stubs.servers.protocol.parameters import Query


@dataclass(frozen=True)
class Listing:
    """One collection.

    Attributes:
        windowed: whether it can be asked for what changed.
        deleted: whether deleted records come without a window too.
        element: what a record is called in XML.
        record_of: writes a record.
    """

    windowed: bool
    deleted: bool = False
    element: str = HOLDER
    record_of: Callable[[Entry, Variant], Record] = holder_record


def holders_listing(variant: Variant) -> Listing:
    """All holders, or those that changed."""
    windowed = variant.changes != "none" and not variant.separate_changes
    return Listing(windowed, deleted=variant.changes == "none")


def changes_listing() -> Listing:
    """Changes and deletions, for a variant that keeps them apart from the holders."""
    return Listing(windowed=True, deleted=True)


def documents_listing(variant: Variant) -> Listing:
    """The documents of one holder."""
    windowed = variant.changes != "none" and not variant.separate_changes
    return Listing(windowed, element=DOCUMENT, record_of=document_record)


def window_parameters(variant: Variant) -> tuple[str, ...]:
    """The parameters that ask for changes."""
    return {"none": (), "time": ("since", "until"), "sequence": ("afterSeq",)}[variant.changes]


def answer_listing(request: Request, entries: Sequence[Entry], listing: Listing, turn: Turn) -> Response:
    """A page of a listing, as asked for by a request."""
    question = _question(request, listing, turn)
    order_of = by_time if turn.variant.changes == "time" else by_sequence
    rows = _selected(entries, question, turn, order_of)
    page = cut(rows, question, order_of, _origin(request.url))
    for plant in turn.plants:
        page = plant.page(page, turn)
    following = _following_url(request, page)
    facts = _facts(page, following, turn.variant)
    body = packed_body(body_of(page.entries, listing, facts, turn), turn)
    return Response(body, headers=_headers(page, following, turn.variant))


def body_of(entries: Sequence[Entry], listing: Listing, facts: Mapping[str, object], turn: Turn) -> bytes:
    """Records in the variant's format, not yet compressed."""
    records = [listing.record_of(entry, turn.variant) for entry in entries]
    for plant in turn.plants:
        records = plant.records(records, turn)
    body = rendered(records, listing.element, facts, turn.variant)
    for plant in turn.plants:
        body = plant.body(body, turn)
    return body


def packed_body(body: bytes, turn: Turn) -> bytes:
    """A body in the variant's compression."""
    body = packed(body, turn.variant)
    for plant in turn.plants:
        body = plant.packed(body, turn)
    return body


def transfer_headers(variant: Variant) -> dict[str, str]:
    """What a body's headers say of its form."""
    headers = {"Content-Type": media_type(variant)}
    return headers | ({"Content-Encoding": "gzip"} if variant.compression == "transfer" else {})


def _question(request: Request, listing: Listing, turn: Turn) -> Question:
    variant = turn.variant
    key = (KEY_PARAMETER,) if variant.auth == "api_key_query" else ()
    window = window_parameters(variant) if listing.windowed else ()
    query = Query(request, *position_parameters(variant), *window, *key)
    place, limit = asked_place(query, variant)
    since, until = query.window("since", "until", time_reader(variant.time))
    after = None if query.text("afterSeq") is None else query.integer("afterSeq", 0, minimum=0)
    deleted = listing.deleted or since is not None or after is not None
    question = Question(place, limit, since, until, after, deleted)
    for plant in turn.plants:
        question = plant.question(question, turn)
    return question


def _selected(entries: Sequence[Entry], question: Question, turn: Turn, order_of: OrderOf) -> Sequence[Entry]:
    least = None if question.after is None else question.after + (not turn.variant.after_inclusive)
    rows: Sequence[Entry] = sorted(
        (
            entry
            for entry in entries
            if (not entry.deleted or question.deleted)
            and (question.since is None or entry.stated_at >= question.since)
            and (question.until is None or entry.stated_at < question.until)
            and (least is None or entry.sequence >= least)
        ),
        key=order_of,
    )
    for plant in turn.plants:
        rows = plant.rows(rows, question)
    return rows


def _origin(url: URL) -> str:
    return f"{url.scheme}://{url.netloc}"


def _following_url(request: Request, page: Page) -> str | None:
    """The whole URL of the next page, without the key that a request may have carried in its own."""
    if page.following is None:
        return None
    url = request.url.include_query_params(cursor=page.following.token()).remove_query_params(KEY_PARAMETER)
    return f"{page.origin}{url.path}?{url.query}"


def _facts(page: Page, following: str | None, variant: Variant) -> dict[str, object]:
    facts: dict[str, object] = {}
    if variant.total == "body":
        facts["total"] = page.total
    if variant.count:
        facts["count"] = page.count
    if variant.more:
        facts["more"] = page.more
    if variant.pages == "cursor" and variant.has_envelope:
        facts["next"] = None if page.following is None else page.following.token()
    if variant.pages == "next_url":
        facts["next"] = _shown(following, page, variant)
    return facts


def _headers(page: Page, following: str | None, variant: Variant) -> dict[str, str]:
    headers = transfer_headers(variant)
    if variant.total == "header":
        headers["X-Total-Count"] = str(page.total)
    if variant.pages == "cursor" and not variant.has_envelope and page.following is not None:
        headers["X-Next-Cursor"] = page.following.token()
    if variant.pages == "link" and following is not None:
        headers["Link"] = f'<{_shown(following, page, variant)}>; rel="next"'
    return headers


def _shown(following: str | None, page: Page, variant: Variant) -> str | None:
    if following is None or not variant.relative_next:
        return following
    return following.removeprefix(page.origin)
