"""What a citizen sees of the access log: who had their data, when, by what right, and what of them.

As Estonia's Data Tracker publishes it (`findUsage`): `totalUsages`, and `usages` with `logtime`, `action`,
`receiverCode`, `receiverName` and `receiverSystem`, the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from oncehub.audit.log.entries import Involvement, Outcome
from oncehub.audit.log.pseudonyms import person_pseudonym
from oncehub.clock import VIETNAM
from oncehub.config.agreements import Agreement
from oncehub.share.roles import rows_as
from oncehub.store.connection import Connection

ACTIONS: Final[Mapping[str, str]] = {
    "lookup": "Tra cứu dữ liệu",
    "prefill": "Điền sẵn biểu mẫu",
    "feed": "Nhận dữ liệu thay đổi",
    "corrections": "Nhận thông báo sai lệch",
    "acknowledgement": "Phản hồi thông báo sai lệch",
    "case": "Xử lý trường hợp cần xác minh",
    "consent": "Ghi nhận đồng ý của công dân",
    "submission": "Tiếp nhận hồ sơ",
    "usage": "Công dân xem lịch sử sử dụng dữ liệu",
    "correction_request": "Công dân yêu cầu chỉnh sửa dữ liệu",
    "adoption": "Tiếp nhận cơ sở dữ liệu sau khôi phục",
}
"""What each action is called before citizens; portals rely on these words, so that none is ever changed."""

_ASKED: Final = """
select {truth}.own_keys(%(person)s::uuid)::text[] as keys,
    least(coalesce(%(until)s::timestamptz, 'infinity'), clock_timestamp()) as until
"""

_FIND: Final = """
select * from {audit}.usage_of(
    %(keys)s::uuid[], %(pseudonyms)s::text[], %(from)s::timestamptz, %(until)s::timestamptz,
    %(hiding)s::text[], %(since)s::timestamptz[], %(shown)s::text[], %(skip)s, %(limit)s
)
"""


@dataclass(frozen=True)
class Period:
    """Moments with a time zone, from `since` on and before `until`; None leaves an end open."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Usage:
    """One use of a person's data.

    Attributes:
        action: in Vietnamese; see `ACTIONS`.
        receiver_code: identifier of the agency, and `receiver_name` its name; the identifier again where no
            agreement of it is kept.
        receiver_system: its client.
        attributes: what was given out; of a refused question, what was asked for.
        involvement: they were asked about (`consulted`), or `appeared` in an answer about something else.
        log: name of the log in whose tree the line is, and `log_index` its place there, counted from 0, by
            which its proof is asked for; None until it is signed.
    """

    logtime: datetime
    action: str
    receiver_code: str
    receiver_name: str
    receiver_system: str
    involvement: Involvement
    outcome: Outcome
    purpose: str
    legal_basis: str
    procedure: str | None
    attributes: tuple[str, ...]
    log: str | None
    log_index: int | None


@dataclass(frozen=True)
class UsagePage:
    """Some of a person's usages, the newest first, and how many there are in the period.

    Attributes:
        until: the period's end, at most the present. Passed with the request for the next page, it keeps
            the lines in place although new ones were logged.
    """

    total: int
    usages: tuple[Usage, ...]
    until: datetime


def find_usages(
    connection: Connection,
    person_key: str,
    keys: Sequence[bytes],
    agreements: Mapping[str, Agreement],
    period: Period,
    *,
    offset: int,
    limit: int,
    day: date,
    under: Agreement | None = None,
) -> UsagePage:
    """Return a page of the uses of a person's data, including the data of people merged into the person.

    Lines that a legal text hides on `day` are neither listed nor counted. A line that was hidden when it was
    written stays hidden until its agreement no longer hides it.

    Args:
        connection: in a transaction.
        person_key: whose.
        keys: for pseudonyms, the hub's own and those retired.
        agreements: by name; those say what is hidden, and give agencies their names.
        period: which lines.
        offset: so many of the newest are left out.
        limit: at most so many.
        day: today, in Vietnam.
        under: the agreement under which the citizen asks, in whose open request it is; None asks
            with the hub's own rights.
    """
    (asked,) = rows_as(connection, under, _ASKED, {"person": person_key, "until": period.until})
    # Nobody has any whom the agreement does not have any more.
    own, until = asked["keys"] or [], asked["until"]
    values = {
        "keys": own,
        "pseudonyms": [person_pseudonym(key, each) for key in keys for each in own],
        "from": period.since or "-infinity",
        "until": until,
        "skip": offset,
        "limit": limit,
    }
    rows = rows_as(connection, under, _FIND, values | _hiding(agreements.values(), day))
    names = {each.agency.id: each.agency.name for each in agreements.values()}
    usages = tuple(_usage(row, names) for row in rows if row["logtime"] is not None)
    return UsagePage(rows[0]["total"] if rows else 0, usages, until)


def _hiding(agreements: Iterable[Agreement], day: date) -> dict[str, list[Any]]:
    """Sort agreements into those that hide what was asked since a moment, and those that hide nothing."""
    hiding = [(each.name, basis.since) for each in agreements if (basis := each.hides(day))]
    return {
        "hiding": [name for name, _ in hiding],
        "since": [datetime(since.year, since.month, since.day, tzinfo=VIETNAM) for _, since in hiding],
        "shown": [each.name for each in agreements if not each.hides(day)],
    }


def _usage(row: Mapping[str, Any], names: Mapping[str, str]) -> Usage:
    return Usage(
        logtime=row["logtime"],
        # A later version may have written actions that this one does not know.
        action=ACTIONS.get(row["action"], row["action"]),
        receiver_code=row["agency"],
        receiver_name=names.get(row["agency"], row["agency"]),
        receiver_system=row["client_id"],
        involvement=row["involvement"],
        outcome=row["outcome"],
        purpose=row["purpose"],
        legal_basis=row["legal_basis"],
        procedure=row["procedure"],
        attributes=tuple(row["attributes"]),
        log=row["log"],
        log_index=row["log_index"],
    )
