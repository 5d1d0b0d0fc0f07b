"""A source recorded without what it says about anybody, so that the suite runs on it offline."""

from oncehub.conformance.recording.cassette import Cassette, cassette_path, recorded_connector
from oncehub.conformance.recording.redaction import redacted

__all__ = ["Cassette", "cassette_path", "recorded_connector", "redacted"]
