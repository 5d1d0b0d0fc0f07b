"""Bases of request and response bodies, and types of values that several have, as OpenAPI shows them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from oncehub.api.http.description import KNOWN
from oncehub.config.entities import qualified

SearchTerms = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=100)]],
    Field(min_length=1, max_length=5, json_schema_extra={KNOWN: "search_terms"}),
]
"""Qualified attribute -> value, e.g. `person.personal_id`; all must lead to the same person."""


def _require_number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a whole number")
    return value


WHOLE_NUMBER = BeforeValidator(_require_number)
"""Of an integer in JSON: neither `"5"` nor `true` stands for one."""


def _require_form(pattern: str, form: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"Input should be a text of the form {form}")
        return value

    return BeforeValidator(check)


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""Of a name in a path."""

DAY = _require_form(r"\d{4}-\d\d-\d\d", "2026-01-31")
"""Of a date in JSON (RFC 3339 full-date): pydantic would take numbers and moments too."""


MOMENT = _require_form(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", "2026-01-31T23:59:59+07:00"
)
"""Of a moment in JSON (RFC 3339 date-time)."""


class Body(BaseModel):
    """A request body; it must not have other fields than those declared."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """A response body, or a part of one, that `model_validate` builds of the hub's own objects."""

    model_config = ConfigDict(from_attributes=True)


QualifiedName = Annotated[str, AfterValidator(qualified)]
"""An attribute of the person, which the hub's own objects name without its entity."""
