"""Templates of requests: values of a query and bodies, with placeholders for what a page is asked by.

`{since}`, `{until}` (with the form of a time where it is not that of `updated`: `{since:%Y-%m-%d}`,
`{since:unix}`), `{size}`, `{page}`, `{offset}`, `{cursor}`, `{uuid}` (of the request, the same when it is
repeated), and the names of `parent.take`. What nothing stands for is left out, as `{cursor}` is on the first
page: a parameter, a member of a JSON body, an element of an XML body. A text that is one placeholder takes a
value as it is, also a number or a list. A text with other braces, such as a GraphQL document, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final
from xml.sax.saxutils import escape

import orjson
from pydantic import AfterValidator, Field

from oncehub.config.documents import Section

OF_REQUESTS: Final = frozenset({"since", "until", "size", "page", "offset", "cursor", "uuid"})
"""Names that stand for what a page is asked by."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,30})(?::([^{}]+))?\}")
_TIMES = ("since", "until")

Lookup = Callable[[str, str | None], Any]
"""Gives what a name stands for, in a form; `ABSENT` where nothing does."""

ABSENT: Final[Any] = object()
"""What stands for a placeholder that has no value."""


def _checked(text: str) -> str:
    for name, form in _found(text):
        if form and name not in _TIMES:
            raise ValueError(
                f"{{{name}:{form}}} has a form, which only since and until take; write {{{name}}}"
            )
    return text


Template = Annotated[str, AfterValidator(_checked)]


class Joined(Section):
    """A value made of those parts whose placeholders stand for something, e.g. the conditions of `$filter`.

    Attributes:
        join: stands between them.
        of: the parts; one without placeholders is always there.
    """

    join: str
    of: Annotated[tuple[Template, ...], Field(min_length=1)]


def names_in(templates: Any) -> set[str]:
    """Return the names that stand for something in a template, or in any part of it."""
    return {name for text in _texts(templates) for name, _ in _found(text)}


def filled(template: Any, value: Lookup) -> Any:
    """Fill a value of a query or a JSON body; `ABSENT` where nothing of it is left."""
    match template:
        case str():
            return _text(template, value)
        case Joined():
            parts = [part for each in template.of if (part := filled(each, value)) is not ABSENT]
            return template.join.join(map(as_text, parts)) if parts else ABSENT
        case dict():
            made = {name: filled(inner, value) for name, inner in template.items()}
            kept = {name: inner for name, inner in made.items() if inner is not ABSENT}
            return ABSENT if made and not kept else kept
        case list() | tuple():
            items = [filled(inner, value) for inner in template]
            left = [inner for inner in items if inner is not ABSENT]
            return ABSENT if items and not left else left
        case _:
            return template


def filled_xml(template: str, value: Lookup) -> str:
    """Fill an XML body; values are escaped, and an element whose placeholder has no value is left out."""
    for name, form in _found(template):
        if value(name, form) is ABSENT:
            written = re.escape(f"{{{name}:{form}}}" if form else f"{{{name}}}")
            template = re.sub(rf"<([\w:.-]+)(?:\s[^<>]*)?>[^<>]*{written}[^<>]*</\1\s*>", "", template)
    return _PLACEHOLDER.sub(lambda found: _escaped(value(found[1], found[2])), template)


def as_text(value: Any) -> str:
    """Write a value where only a text can stand."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _escaped(value: Any) -> str:
    return "" if value is ABSENT else escape(as_text(value), {'"': "&quot;", "'": "&apos;"})


def _text(template: str, value: Lookup) -> Any:
    found = list(_found(template))
    if not found:
        return template
    values = {each: value(*each) for each in found}
    if any(each is ABSENT for each in values.values()):
        return ABSENT
    if _PLACEHOLDER.fullmatch(template):
        return values[found[0]]
    return _PLACEHOLDER.sub(lambda found: as_text(values[found[1], found[2]]), template)


def _found(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield names and forms of the placeholders of a text, none where it has other braces."""
    is_xml = text.lstrip().startswith("<")
    if is_xml or not re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        yield from ((found[1], found[2]) for found in _PLACEHOLDER.finditer(text))


def _texts(templates: Any) -> Iterator[str]:
    match templates:
        case str():
            yield templates
        case Joined():
            yield from templates.of
        case dict():
            for inner in templates.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in templates:
                yield from _texts(inner)
