"""FHIR R4 as https://hl7.org/fhir/R4/search.html and http.html say; `fhir.resources` checks each answer."""

from __future__ import annotations

from urllib.parse import urlencode

import orjson
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from ...connect.serving import Asked, Reply, as_json
from .people import People, Person, iso, living, moment

BASE = "/fhir/Patient"
Pairs = tuple[tuple[str, str], ...]


class Fhir:
    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""

    def __call__(self, asked: Asked) -> Reply:
        pairs = asked.pairs
        query = dict(pairs)
        if asked.path == BASE:
            bounds = {text[:2]: moment(text[2:]) for name, text in pairs if name == "_lastUpdated"}
            if set(bounds) - {"ge", "lt"}:
                return _outcome(f"Unknown prefix in _lastUpdated of {query['_lastUpdated']}")
            found = living(self.people.changed(bounds.get("ge"), bounds.get("lt")))
            return self._bundle("searchset", [self._match(each) for each in found], pairs)
        if asked.path == f"{BASE}/_history":
            found = self.people.changed(moment(query.get("_since")))
            return self._bundle("history", [self._version(each) for each in found], pairs, asked.path)
        return Reply(404)

    def _bundle(self, kind: str, entries: list[dict], pairs: Pairs, path: str = BASE) -> Reply:
        begin, size = int(dict(pairs).get("_offset", 0)), int(dict(pairs)["_count"])
        link = [{"relation": "self", "url": f"{self.host}{path}"}]
        if begin + size < len(entries):
            kept = [pair for pair in pairs if pair[0] != "_offset"]
            rest = urlencode([*kept, ("_offset", begin + size)])
            link.append({"relation": "next", "url": f"{self.host}{path}?{rest}"})
        bundle = {"resourceType": "Bundle", "type": kind, "total": len(entries), "link": link}
        if page := entries[begin : begin + size]:
            bundle["entry"] = page
        Bundle.model_validate_json(orjson.dumps(bundle))
        return as_json(bundle, **{"Content-Type": "application/fhir+json"})

    def _match(self, person: Person) -> dict:
        return {
            "fullUrl": f"{self.host}{BASE}/{person.number}",
            "resource": {
                "resourceType": "Patient",
                "id": str(person.number),
                "meta": {"lastUpdated": iso(person.modified)},
                "identifier": [
                    {"system": "urn:oid:1.2.704.9", "value": f"BHYT{person.number}"},
                    {"system": "urn:oid:1.2.704.1", "value": person.personal_id},
                ],
                "name": [
                    {"use": "nickname", "given": ["Tí"]},
                    {"use": "official", "family": person.family, "given": list(person.given)},
                ],
                "birthDate": person.birth,
            },
            "search": {"mode": "match"},
        }

    def _version(self, person: Person) -> dict:
        response = {"status": "200", "lastModified": iso(person.modified)}
        if not person.deleted:
            entry = self._match(person)
            del entry["search"]
            request = {"method": "PUT", "url": f"Patient/{person.number}"}
            return entry | {"request": request, "response": response}
        return {
            "fullUrl": f"{self.host}{BASE}/{person.number}",
            "request": {"method": "DELETE", "url": f"Patient/{person.number}"},
            "response": response | {"status": "204"},
        }


def _outcome(text: str) -> Reply:
    issue = {"severity": "error", "code": "invalid", "diagnostics": text}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    OperationOutcome.model_validate(outcome)
    return Reply(400, orjson.dumps(outcome))
