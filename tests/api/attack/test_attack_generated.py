"""Whatever is sent to any operation described: no answer and no log line holds what is not covered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies
from hypothesis.strategies import DataObject, SearchStrategy

DEEPEST = 4


@dataclass(frozen=True)
class Sender:
    """Makes requests that are as the description wants them, more or less, of the secret's words."""

    document: dict[str, Any]
    secret: Any
    places: list[str]

    def words(self) -> SearchStrategy[str]:
        names = sorted(self.secret.words)
        held = sorted(word for each in self.secret.words.values() for word in each)
        odd = [spelling for name in names for spelling in self.secret.spellings(name)]
        return strategies.one_of(
            strategies.sampled_from([*names, *held, *self.places]),
            strategies.sampled_from(odd),
            strategies.text(max_size=12),
        )

    def content(self, schema: dict[str, Any], depth: int = 0) -> SearchStrategy[Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        if name in ("AttributeName", "SearchTerms"):
            return self._known(name)
        schema = self.document["components"]["schemas"][name] if name else schema
        if either := schema.get("anyOf"):
            return strategies.one_of([self.content(each, depth) for each in either])
        plain = {
            "integer": strategies.sampled_from([0, 1, 2, self.secret.case, self.secret.others, 2**63 - 1]),
            "boolean": strategies.booleans(),
            "null": strategies.none(),
        }
        match schema.get("type"):
            case "object" if depth < DEEPEST:
                return self._object(schema, depth)
            case "array" if depth < DEEPEST:
                return strategies.lists(
                    self.content(schema.get("items", {}), depth + 1), min_size=1, max_size=3
                )
            case str(kind) if kind in plain:
                return plain[kind]
        listed = schema.get("enum") or [schema.get("const", "")]
        return _mostly(strategies.sampled_from(listed), self.words())

    def _known(self, name: str) -> SearchStrategy[Any]:
        if name == "AttributeName":
            return _mostly(strategies.sampled_from(sorted(self.secret.words)), self.words())
        odd = strategies.dictionaries(self.words(), self.words(), max_size=2)
        return _mostly(strategies.just(self.secret.who), odd)

    def _object(self, schema: dict[str, Any], depth: int) -> SearchStrategy[Any]:
        fields = {name: self.content(each, depth + 1) for name, each in schema.get("properties", {}).items()}
        needed = {name: each for name, each in fields.items() if name in schema.get("required", ())}
        some = {name: each for name, each in fields.items() if name not in needed}
        shaped = strategies.fixed_dictionaries(needed, optional=some)
        odd = strategies.dictionaries(self.words(), self.words(), max_size=2)
        return _mostly(shaped, strategies.builds(lambda one, two: one | two, shaped, odd))

    def request(self, draw: Callable[..., Any]) -> dict[str, Any]:
        """Draw the method, address, query and body of a request to any operation."""
        asking = sorted(
            set(self.document["paths"]) - {"/ready", "/metrics", "/v1/token", "/v1/agreements/mine"}
        )
        path = draw(strategies.sampled_from(asking))
        method = draw(strategies.sampled_from(sorted(self.document["paths"][path])))
        operation = self.document["paths"][path][method]
        query = {}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                place = draw(strategies.sampled_from(self.places) | self.words())
                path = path.replace(f"{{{parameter['name']}}}", quote(place, safe="") or "x")
            elif draw(strategies.booleans()):
                query[parameter["name"]] = draw(self.content(parameter["schema"]))
        bodies = operation.get("requestBody", {}).get("content", {})
        schema = bodies.get("application/json", {}).get("schema")
        return {
            "method": method,
            "url": path,
            "params": query,
            "json": draw(self.content(schema)) if schema else None,
        }


def _mostly(right: SearchStrategy[Any], odd: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What is right is needed to come far enough for what is odd to matter."""
    return strategies.one_of(*[right] * 5, odd)


@settings(max_examples=settings.default.max_examples * 5, derandomize=True, database=None)
@given(data=strategies.data())
def test_no_request_gets_out_what_is_not_covered(
    attacker: Any, secret: Any, caplog: pytest.LogCaptureFixture, data: DataObject
) -> None:
    caplog.set_level(logging.DEBUG)
    procedures = list(attacker.http.app.state.hub.agreements["narrow"].procedures)[:3]
    places = [*procedures, "narrow_feed", "residence", str(secret.case), str(secret.others), secret.key]
    request = Sender(attacker.http.app.openapi(), secret, places).request(data.draw)
    answer = attacker.http.request(**request, headers=attacker.headers())
    assert not secret.leaked(answer), request
    assert answer.status_code != 500, request
    own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("oncehub"))
    assert not any(word in own for word in secret.told() | secret.untold()), own
