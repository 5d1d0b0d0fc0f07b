"""The conformance suite: what `oncehub connector test` tries on a source, real or recorded."""

from oncehub.conformance.hub import Hub, throwaway_hubs
from oncehub.conformance.reach import Reach
from oncehub.conformance.subject import Options
from oncehub.conformance.suite import Suite, prepared
from oncehub.conformance.verdict import Verdict

__all__ = ["Hub", "Options", "Reach", "Suite", "Verdict", "prepared", "throwaway_hubs"]
