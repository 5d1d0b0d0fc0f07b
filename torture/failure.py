"""What ends a torture: something that must not happen, whatever is killed."""

from __future__ import annotations


class Failure(Exception):
    """The hub did what it must not do; the message says what, where, and after which kill."""
