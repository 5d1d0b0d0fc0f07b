"""The conformance suite: what `oncehub connector test` tries on a source, real or recorded."""

from oncehub.conformance.hub import Hub, throwaway_hubs
from oncehub.conformance.subject import Options
from oncehub.conformance.trial import Trial
from oncehub.conformance.verdict import Verdict

__all__ = ["Hub", "Options", "Trial", "Verdict", "throwaway_hubs"]
