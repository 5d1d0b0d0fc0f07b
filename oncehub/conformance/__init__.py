"""The conformance suite: what `oncehub connector test` tries on a source, real or recorded."""
