"""Checks the attribute names and search values of a request before any look-up."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from fastapi.exceptions import RequestValidationError

from oncehub.config.entities import Attribute, unqualified


def require_known(names: Sequence[str], known: Collection[str], field: str) -> None:
    """Check that every name is a canonical attribute.

    Raises:
        RequestValidationError: with the place and a close match, never the given name.
    """
    faults = []
    for index, name in enumerate(names):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"; did you mean {close[0]}?" if close else ""
            faults.append(_fault(f"is not a known attribute{advice}", field, index))
    if faults:
        raise RequestValidationError(faults)


def require_named(names: Sequence[str], known: Collection[str]) -> None:
    """Check that attributes are requested by name, and not all of them: no purpose needs everything.

    Raises:
        RequestValidationError: the message says what to request instead.
    """
    everything = {name for name in known if unqualified(name) != name}
    if "*" in names or everything.issubset(names):
        advice = "requests everything; list the attributes that are needed, of those in the agreement"
        raise RequestValidationError([_fault(f"{advice} (GET /v1/agreements/mine)", "attributes")])
    require_known(names, known, "attributes")


def require_search_terms(search: Mapping[str, str], attributes: Mapping[str, Attribute]) -> None:
    """Check that the search terms are canonical attributes with values of their form.

    Raises:
        RequestValidationError: without the values.
    """
    require_known(list(search), attributes, "search")
    faults = [
        _fault(f"{name} does not have the form {pattern}", "search", index)
        for index, (name, value) in enumerate(search.items())
        if (pattern := attributes[name].pattern) and not _fits(pattern, value)
    ]
    if faults:
        raise RequestValidationError(faults)


def _fits(pattern: str, value: str) -> bool:
    # Python lets $ match before a closing line break, JSON Schema's regular expressions do not.
    return not value.endswith("\n") and re.search(pattern, value) is not None


def _fault(message: str, *place: str | int) -> dict[str, object]:
    return {"type": "value_error", "loc": ("body", *place), "msg": message}
