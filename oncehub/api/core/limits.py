"""What stops a request: the limits of its agreement and client, and an unsigned access log."""

from __future__ import annotations

import hmac
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple

from oncehub.api.database import Database, Question
from oncehub.config.agreements import Agreement
from oncehub.errors import ConfigError, LogUnsigned, TooManyRequests
from oncehub.store.connection import Connection
from oncehub.store.statements import statement

_SOURCE_FAILURES: Final = (10, 200)
"""Failed authentications a second, and at once, of one source address."""

_CLAIM_FAILURES: Final = (1, 30)
"""The same of one source address that claims to be one client."""

_LEASE_SECONDS: Final = 0.1
_GIVEN_BACK_SECONDS: Final = 60.0
_LONGEST_REFUSAL: Final = 1.0
_MOST_LEASES: Final = 4096
_FAILURE_BUCKETS: Final = 4096

_TAKE: Final = statement(__name__, "take_requests").string
_LEFT: Final = statement(__name__, "requests_left")

LONGEST_UNSIGNED_SECONDS: Final = 14_400
"""How long an entry may be unsigned unless `ONCEHUB_UNSIGNED_SECONDS` gives another limit.

As X-Road's `acceptable-timestamp-failure-period` (UG-SYSPAR), four hours.
"""

_RECHECK_SECONDS: Final = 5.0

_WAITED: Final = "select extract(epoch from clock_timestamp() - audit.oldest_unsigned())"


class Bucket(NamedTuple):
    """A bucket of the database: requests flow in by the second, at most so many at once, and so many a day.

    Attributes:
        name: the same for all servers.
        refusal: why a request is refused while it is empty.
        per_day: None where the day is not counted.
        refusal_of_day: why a request is refused when the day's are used up.
    """

    name: str
    per_second: float
    at_once: float
    refusal: str
    per_day: int | None = None
    refusal_of_day: str = ""


class _Refused(NamedTuple):
    message: str
    until: float


@dataclass
class _Lease:
    """What this process has taken of some buckets, and may use without asking for `_LEASE_SECONDS`."""

    granted: int = 1
    left: int = 0
    since: float = -math.inf
    refused: _Refused | None = None
    asks_again: float = -math.inf


class Buckets:
    """Takes requests from buckets that all processes of all servers share.

    The buckets are rows of the database. A process that serves many requests takes several at once, as many
    as it used of late, and what it does not use in a tenth of a second expires. So in any time, all servers
    together allow what the buckets hold at once, what flows in, and no more than what flows in in a tenth of
    a second. Rows are locked by one statement, which the database ends itself: nothing waits for a process
    that is killed or stopped.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: dict[tuple[str, ...], _Lease] = {}

    def take(self, ask: Callable[[Question], tuple[Any, ...]], *buckets: Bucket) -> None:
        """Take one request from each of the buckets, or from none.

        Args:
            ask: reads one row in a transaction of its own.
            buckets: always in the same order.

        Raises:
            TooManyRequests: when a bucket is empty.
        """
        names = tuple(bucket.name for bucket in buckets)
        with self._lock:
            lease = self._lease(names + ("day",) * (buckets[0].per_day is not None))
            now = self._clock()
            if _used(lease, now):
                return
            wanted, unused = _renewal(lease, now, min(bucket.per_second for bucket in buckets))
        values = {
            "buckets": list(names),
            "per_second": [bucket.per_second for bucket in buckets],
            "at_once": [bucket.at_once for bucket in buckets],
            "per_day": [bucket.per_day for bucket in buckets],
            "wanted": wanted,
            "unused": unused,
        }
        granted, name, by_day, seconds = ask(Question(_TAKE, values))
        with self._lock:
            now = self._clock()
            if granted:
                lease.granted, lease.left, lease.since = granted, lease.left + granted - 1, now
                lease.refused = None
                return
            bucket = buckets[names.index(name)]
            message = bucket.refusal_of_day if by_day else bucket.refusal
            lease.refused = _Refused(message, now + seconds)
            lease.asks_again = now + min(seconds, _LONGEST_REFUSAL)
            _used(lease, now)

    def take_leased(self, *buckets: Bucket) -> bool:
        """Take one request of those that this process took from the database; return whether it has one."""
        names = tuple(bucket.name for bucket in buckets)
        with self._lock:
            lease = self._leases.get(names + ("day",) * (buckets[0].per_day is not None))
            now = self._clock()
            return (
                lease is not None and (lease.refused is None or now >= lease.asks_again) and _used(lease, now)
            )

    def unused(self, *names: str) -> int:
        """Return how many requests of the day this process has taken from the buckets and not used yet."""
        with self._lock:
            lease = self._leases.get((*names, "day"))
            return lease.left if lease else 0

    def _lease(self, key: tuple[str, ...]) -> _Lease:
        if key not in self._leases and len(self._leases) >= _MOST_LEASES:
            self._leases.clear()
        return self._leases.setdefault(key, _Lease())


def _refuses(lease: _Lease, now: float) -> bool:
    return lease.refused is not None and now < lease.asks_again


def _used(lease: _Lease, now: float) -> bool:
    """Use one request of a lease if it has one, or refuse as the database did a moment ago."""
    if lease.refused and _refuses(lease, now):
        raise TooManyRequests(lease.refused.message, max(1, math.ceil(lease.refused.until - now)))
    if lease.left and now < lease.since + _LEASE_SECONDS:
        lease.left -= 1
        return True
    return False


def _renewal(lease: _Lease, now: float, per_second: float) -> tuple[int, int]:
    """Return how many requests to take, and how many that were taken for the day to give back."""
    unused, lease.left = lease.left, 0
    in_time = now < lease.since + _LEASE_SECONDS
    wanted = 2 * lease.granted if in_time else lease.granted - unused
    most = max(1, int(per_second * _LEASE_SECONDS))
    return max(1, min(wanted, most)), unused if now < lease.since + _GIVEN_BACK_SECONDS else 0


class RequestLimits:
    """The limits of requests under agreements, and of tokens.

    Args:
        buckets: shared with all servers.
    """

    def __init__(self, buckets: Buckets | None = None) -> None:
        self._buckets = buckets or Buckets()

    def take(
        self, connection: Connection, agreement: Agreement, client_id: str, *, alone: bool, today: bool = True
    ) -> None:
        """Count a request of an admitted client; ends the transaction of the connection and begins another.

        Args:
            connection: in a transaction that has done nothing but admit the client.
            agreement: of the client.
            client_id: of the client.
            alone: whether it is the agreement's only client.
            today: whether the request counts for the day.

        Raises:
            TooManyRequests: when the agreement or the client has reached its limit.
        """
        self._buckets.take(
            partial(Database.apart, connection), *_request_buckets(agreement, client_id, alone, today)
        )

    def take_leased(self, agreement: Agreement, client_id: str) -> bool:
        """Count a request if this process has one left, without the database; return whether it has."""
        return self._buckets.take_leased(*_request_buckets(agreement, client_id, alone=False, today=True))

    def take_token(self, connection: Connection, agreement: Agreement, client_id: str) -> None:
        """Count a token of a client: it may have as many a second as the agreement allows requests.

        Raises:
            TooManyRequests: when it has had as many.
        """
        rate = agreement.limits.per_second
        refusal = f"the client may request {rate} tokens a second"
        self._buckets.take(
            partial(Database.apart, connection), Bucket(f"tokens {client_id}", rate, rate, refusal)
        )

    def left(self, connection: Connection, agreement: Agreement, client_id: str, *, alone: bool) -> int:
        """Return how many requests the client may still make today."""
        buckets = _request_buckets(agreement, client_id, alone, today=True)
        names = [bucket.name for bucket in buckets]
        with connection.cursor() as cursor:
            cursor.execute(_LEFT, {"buckets": names, "per_day": [bucket.per_day for bucket in buckets]})
            (left,) = cursor.fetchone() or (0,)
        return max(0, int(left)) + self._buckets.unused(*names)


def _request_buckets(agreement: Agreement, client_id: str, alone: bool, today: bool) -> tuple[Bucket, Bucket]:
    limits = agreement.limits
    per_second, per_day = limits.of_client(alone=alone)
    return (
        Bucket(
            f"agreement {agreement.name}",
            limits.per_second,
            limits.per_second,
            f"the agreement allows {limits.per_second} requests a second",
            limits.per_day if today else None,
            f"the agreement allows {limits.per_day} requests a day",
        ),
        Bucket(
            f"client {client_id}",
            per_second,
            per_second,
            f"a client of the agreement may send {per_second} requests a second",
            per_day if today else None,
            f"a client of the agreement may send {per_day} requests a day",
        ),
    )


class FailureLimits:
    """Limits requests that fail to authenticate, by source address and claimed client.

    Whoever proves to be a client is never refused for the failures of others: only failures are counted, once
    it is certain that they are. Addresses and names that callers choose share a fixed number of buckets by a
    keyed hash, so that they fill neither memory nor the database.

    Args:
        database: of the hub.
        key: 32 bytes; nobody else can choose what shares a bucket.
    """

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key
        self._buckets = Buckets()

    def count(self, source: str | None, claimed: str | None) -> None:
        """Count a request that failed to authenticate.

        Args:
            source: the address that sent it.
            claimed: the client that it claims.

        Raises:
            TooManyRequests: when there were too many.
            StoreUnavailable: when the database does not answer.
        """
        network = _network(source)
        refusal = "too many requests from your address failed to authenticate"
        self._buckets.take(
            self._ask,
            Bucket(self._name("source", network), *_SOURCE_FAILURES, refusal),
            Bucket(
                self._name("claim", f"{network} {claimed}"), *_CLAIM_FAILURES, f"{refusal} as this client"
            ),
        )

    def _ask(self, question: Question) -> tuple[Any, ...]:
        with self._database.transaction() as connection:
            return Database.apart(connection, question)

    def _name(self, kind: str, text: str) -> str:
        digest = hmac.digest(self._key, f"failures {kind} {text}".encode("utf-8", "replace"), "sha256")
        return f"failures {kind} {int.from_bytes(digest[:8]) % _FAILURE_BUCKETS}"


def _network(source: str | None) -> str:
    """Return the address, or the network that is one caller's in IPv6."""
    if source is None:
        return ""
    address = ip_address(source)
    return str(ip_network((address, 64), strict=False) if address.version == 6 else address)


class CheckpointWatch:
    """Stops requests while the access log is not signed: every disclosure must be provable later.

    Args:
        longest: seconds that an entry may be unsigned.
        clock: monotonic seconds.
    """

    def __init__(
        self, longest: float = LONGEST_UNSIGNED_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest = longest
        self._clock = clock
        self._checked: float | None = None

    @property
    def is_recent(self) -> bool:
        """Whether the database was read in the past seconds, and the access log was signed in time."""
        return self._checked is not None and self._clock() - self._checked < _RECHECK_SECONDS

    def require_signed(self, connection: Connection) -> None:
        """Refuse the request while signing is overdue; reads the database only every few seconds.

        Raises:
            LogUnsigned: when an entry has been unsigned for longer than the limit.
        """
        if self.is_recent:
            return
        now = self._clock()
        with connection.cursor() as cursor:
            cursor.execute(_WAITED)
            (waited,) = cursor.fetchone() or (None,)
        if waited is not None and waited > self._longest:
            raise LogUnsigned(
                "the access log has not been signed for too long; look-ups are refused until it is"
            )
        self._checked = now


def checkpoint_watch() -> CheckpointWatch:
    """Return the watch that `ONCEHUB_UNSIGNED_SECONDS` asks for.

    Raises:
        ConfigError: when it is not a number of seconds.
    """
    text = os.environ.get("ONCEHUB_UNSIGNED_SECONDS") or str(LONGEST_UNSIGNED_SECONDS)
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError("ONCEHUB_UNSIGNED_SECONDS must be a whole number of seconds, at least 1")
    return CheckpointWatch(int(text))
