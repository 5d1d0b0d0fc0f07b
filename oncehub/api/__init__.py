"""The hub over HTTP: tokens, look-ups, prefilled forms, feeds, cases and consents."""
