"""Templates of requests: what stands for something is filled in and escaped, the rest is left out."""

from __future__ import annotations

from typing import Any

import pytest

from oncehub.config.reading import Json
from oncehub.config.syntax.templates import ABSENT, Joined, filled, filled_xml, names_in


def looked_up(**values: Any) -> Any:
    return lambda name, form: values.get(name, ABSENT) if form is None else f"{values[name]}:{form}"


@pytest.mark.parametrize(
    ("template", "values", "made"),
    [
        ("{cursor}", {"cursor": [1, "a"]}, [1, "a"]),
        ("from {size} on", {"size": 5}, "from 5 on"),
        ("{cursor}", {}, ABSENT),
        ({"a": "{cursor}", "b": 1}, {}, {"b": 1}),
        ({"range": {"gte": "{since}"}}, {}, ABSENT),
        (["ge{since}", "lt{until}"], {"until": "x"}, ["ltx"]),
        (
            Joined(join=" and ", of=("a ge {since}", "a lt {until}")),
            {"since": 1, "until": 2},
            "a ge 1 and a lt 2",
        ),
        (Joined(join=" and ", of=("a ge {since}", "a lt {until}")), {"until": 2}, "a lt 2"),
        (Joined(join=" and ", of=("a ge {since}",)), {}, ABSENT),
        (
            "query { people { cursor } node {cursor} }",
            {"cursor": 1},
            "query { people { cursor } node {cursor} }",
        ),
        ("{since:%Y}", {"since": "t"}, "t:%Y"),
    ],
)
def test_a_value_is_filled_or_left_out(template: Any, values: dict[str, Any], made: Any) -> None:
    assert filled(template, looked_up(**values)) == made


def test_xml_is_escaped_and_loses_elements_without_value() -> None:
    template = '<a x="{page}"><b>{cursor}</b><p:c xmlns:p="u">{since}</p:c></a>'
    made = filled_xml(template, looked_up(page='1"><', cursor="</b><evil/>"))
    assert made == '<a x="1&quot;&gt;&lt;"><b>&lt;/b&gt;&lt;evil/&gt;</b></a>'


def test_only_times_have_a_form() -> None:
    with pytest.raises(ValueError, match=r"write \{size\}"):
        Json(format="json", path="/x", query={"n": "{size:d}"})


def test_names_are_found_everywhere_but_in_a_text_with_other_braces() -> None:
    body = {"query": "{ people {size} }", "variables": {"first": ["{size}"], "after": "{cursor}"}}
    assert names_in(body) == {"size", "cursor"}
