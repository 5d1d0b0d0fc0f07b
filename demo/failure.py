"""The one error that ends a demo: a line fit for a person."""

from __future__ import annotations


class DemoFailed(Exception):
    """The demo cannot go on; `str()` says why and what to do, in one line."""
