"""Whether the source was asked no faster, and by no more at a time, than the connector allows."""

from __future__ import annotations

from oncehub.conformance.reach import Reach
from oncehub.conformance.verdict import Fault, NotShown

# The first request may have begun later than its turn.
_SLACK_SECONDS = 0.5
_FEWEST = 10


def limits(reach: Reach) -> str:
    """All readings of the suite together kept to `limits.requests` and `limits.concurrency`."""
    stated, meter = reach.connector.limits, reach.meter
    begun = sorted(meter.begun)
    if reach.recorded or len(begun) < _FEWEST:
        raise NotShown("too few requests went to the source itself")
    if meter.most_at_once > stated.concurrency:
        raise Fault(
            "too_many_at_once",
            f"{meter.most_at_once} requests were under way at a time, limits.concurrency is "
            f"{stated.concurrency}",
        )
    seconds = begun[-1] - begun[0]
    least = (len(begun) - stated.burst) / stated.requests - _SLACK_SECONDS
    if seconds < least:
        raise Fault(
            "too_fast", f"{len(begun)} requests in {seconds:.1f} s, limits.requests is {stated.requests:g}/s"
        )
    return f"{len(begun)} requests in {seconds:.1f} s, at most {meter.most_at_once} at a time"
