"""OData v4, Elasticsearch, DCI and JSON:API over HTTP, as their specifications say."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from ...connect.serving import Asked, Reply, as_json
from .people import People, Person, iso, living, moment


class OData:
    """https://docs.oasis-open.org/odata/odata-json-format/v4.01: pages by `@odata.nextLink`."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""

    def __call__(self, asked: Asked) -> Reply:
        query = asked.query
        conditions = dict(re.findall(r"Modified (ge|lt) (\S+)", query.get("$filter", "")))
        if query.get("$filter") and len(conditions) != 1 + query["$filter"].count(" and "):
            return Reply(400, b'{"error": {"code": "BadFilter", "message": "cannot be parsed"}}')
        found = self.people.changed(moment(conditions.get("ge")), moment(conditions.get("lt")))
        size = min(int(asked.headers["Prefer"].partition("=")[2]), 4)
        begin = int(query.pop("$skiptoken", 0))
        body = {"@odata.context": f"{self.host}/odata/$metadata#People", "@odata.count": len(found)}
        body["value"] = [self._person(each) for each in found[begin : begin + size]]
        if begin + size < len(found):
            rest = urlencode(query | {"$skiptoken": begin + size})
            body["@odata.nextLink"] = f"{self.host}/odata/People?{rest}"
        return as_json(body)

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "@odata.etag": f'W/"{person.modified.timestamp()}"',
            "ID": person.number,
            "Name.Full": person.name,
            "PersonalID": person.personal_id,
            "BirthDate": person.birth,
            "Modified": iso(person.modified),
            "State": "Deleted" if person.deleted else "Active",
        }


class ODataDelta(OData):
    """The same with delta links: https://docs.oasis-open.org/odata/odata-json-format/v4.01 section 15."""

    def __call__(self, asked: Asked) -> Reply:
        query = asked.query
        token = query.get("$deltatoken")
        if "odata.track-changes" not in asked.headers["Prefer"] or token in getattr(self, "expired", ()):
            return Reply(410, b'{"error": {"code": "Gone", "message": "start again"}}')
        found = self.people.changed(moment(token))
        if token is None:
            found = living(found)
        begin = int(query.pop("$skiptoken", 0))
        body: dict[str, Any] = {"@odata.context": f"{self.host}/odata/$metadata#People/$delta"}
        body["value"] = [self._entity(each) for each in found[begin : begin + 4]]
        if begin + 4 < len(found):
            body["@odata.nextLink"] = (
                f"{self.host}/odata/People?{urlencode(query | {'$skiptoken': begin + 4})}"
            )
        else:
            body["@odata.deltaLink"] = f"{self.host}/odata/People?{urlencode({'$deltatoken': self.token()})}"
        return as_json(body)

    def token(self) -> str:
        return iso(self.people.now + timedelta(seconds=1))

    def _entity(self, person: Person) -> dict[str, Any]:
        if person.deleted:
            return {"@removed": {"reason": "deleted"}, "ID": person.number}
        return self._person(person)


class Elasticsearch:
    """https://www.elastic.co/docs/reference/elasticsearch/rest-apis/paginate-search-results#search-after."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""

    def __call__(self, asked: Asked) -> Reply:
        search = orjson.loads(asked.body)
        if asked.method != "POST" or not isinstance(search["size"], int):
            return Reply(400, b'{"error": {"type": "parsing_exception", "reason": "[size] is no number"}}')
        (condition,) = search["query"]["bool"]["filter"]
        bounds = condition["range"]["modified"]
        found = self.people.changed(moment(bounds.get("gte")), moment(bounds.get("lt")))
        after = search.get("search_after")
        if after is not None and len(after) != len(search["sort"]):
            return Reply(400, b'{"error": {"type": "illegal_argument_exception"}}')
        left = [each for each in found if after is None or self._sort(each) > after]
        hits = [
            {
                "_index": "people",
                "_id": str(each.number),
                "_score": None,
                "_source": {
                    "id": each.number,
                    "name": each.name,
                    "personalId": each.personal_id,
                    "birthDate": each.birth,
                    "modified": iso(each.modified),
                    "deleted": each.deleted,
                },
                "sort": self._sort(each),
            }
            for each in left[: search["size"]]
        ]
        total = {"value": len(found), "relation": "eq"}
        return as_json({"took": 1, "timed_out": False, "hits": {"total": total, "hits": hits}})

    def _sort(self, person: Person) -> list[int]:
        return [int(person.modified.timestamp() * 1000), person.number]


class Dci:
    """https://standards.spdci.org: sync/search of a registry, pages by number in the body."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""
        self.messages: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        envelope = orjson.loads(asked.body)
        self.messages.append(envelope["header"]["message_id"])
        (request,) = envelope["message"]["search_request"]
        criteria = request["search_criteria"]
        pagination = criteria["pagination"]
        query = criteria["query"]["value"]["expression"]["query"]
        bounds = query.get("last_updated", {})
        found = self.people.changed(moment(bounds.get("$gte")), moment(bounds.get("$lt")))
        begin = (pagination["page_number"] - 1) * pagination["page_size"]
        records = [self._record(each) for each in found[begin : begin + pagination["page_size"]]]
        response = {
            "reference_id": request["reference_id"],
            "timestamp": iso(self.people.now),
            "status": "succ",
            "data": {"reg_type": criteria["reg_type"], "reg_records": records},
            "pagination": pagination | {"total_count": len(found)},
        }
        header = {"message_id": "1", "action": "on-search", "status": "succ"}
        return as_json({"header": header, "message": {"search_response": [response]}})

    def _record(self, person: Person) -> dict[str, Any]:
        return {
            "identifier_value": str(person.number),
            "identifier": [
                {"identifier_type": "BRN", "identifier_value": f"K{person.number}"},
                {"identifier_type": "NID", "identifier_value": person.personal_id},
            ],
            "name": {"surname": person.family, "given_name": " ".join(person.given)},
            "birth_date": person.birth,
            "status": "removed" if person.deleted else "active",
            "last_updated": iso(person.modified),
        }


class JsonApi:
    """https://jsonapi.org/format/1.1: compound documents, pagination links."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.host = ""

    def __call__(self, asked: Asked) -> Reply:
        query = asked.query
        bounds: list[datetime | None] = [
            moment(query.get(f"filter[modified][{end}]")) for end in ("ge", "lt")
        ]
        found = self.people.changed(*bounds)
        size, begin = int(query["page[size]"]), int(query.pop("page[from]", 0))
        page = found[begin : begin + size]
        following = None
        if begin + size < len(found):
            following = f"/people?{urlencode(query | {'page[from]': begin + size})}"
        units = {each.number % 3 for each in page}
        return as_json(
            {
                "data": [self._person(each) for each in page],
                "included": [
                    {"type": "places", "id": str(unit), "attributes": {"unit": f"0000{unit}"}}
                    for unit in units
                ],
                "links": {"next": following},
                "meta": {"total": len(found)},
            }
        )

    def _person(self, person: Person) -> dict[str, Any]:
        return {
            "type": "people",
            "id": str(person.number),
            "attributes": {
                "fullName": person.name,
                "personalId": person.personal_id,
                "birthDate": person.birth,
                "modified": iso(person.modified),
                "deleted": person.deleted,
            },
            "relationships": {"home": {"data": {"type": "places", "id": str(person.number % 3)}}},
        }
