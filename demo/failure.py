"""The error that ends a demo."""

from __future__ import annotations


class DemoFailed(Exception):
    """The demo cannot continue; `str()` says in one line why, and what to do."""
