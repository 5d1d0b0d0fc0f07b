"""An agency tries to get out what its agreement does not cover: by names, searches, pages, headers, time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from oncehub.api.database import Database

INNER = ["person.person_key", "person.provenance", "person.*", "*", "person"]


def test_an_attribute_is_refused_under_every_spelling_and_place(attacker: Any, secret: Any) -> None:
    for name in ("person.religion", "person.phone"):
        for spelling in [name, *secret.spellings(name), *INNER]:
            for attributes in (
                [spelling],
                [secret.covered[0], spelling],
                [spelling, secret.covered[0], secret.covered[0]],
            ):
                answer = attacker.lookup(secret.who, attributes)
                assert answer.status_code in (400, 403, 422), spelling
                assert not secret.leaked(answer), spelling
    assert attacker.lookup(secret.who, [secret.covered[0]] * 3).json()["attributes"].keys() == {
        secret.covered[0]
    }


def test_fields_beside_those_described_are_refused(attacker: Any, secret: Any) -> None:
    body = {"search": secret.who, "attributes": [secret.covered[0]]}
    more: list[dict[str, Any]] = [
        {"agreement": "portal-residence"},
        {"include": ["person.religion"]},
        {"expand": "*"},
        {"fields": {"person.religion": True}},
        {"sort": "person.religion"},
        {"filter": {"person.religion": "Wordreligion"}},
        {"__proto__": {"attributes": ["person.religion"]}},
        {"Attributes": ["person.religion"]},
        {"client_id": "client-of-portal-residence"},
    ]
    for extra in more:
        answer = attacker.http.post("/v1/persons/lookup", json=body | extra, headers=attacker.headers())
        assert answer.status_code == 422, extra
        assert not secret.leaked(answer)
    twice = '{"search": %s, "attributes": ["person.full_name"], "attributes": ["person.religion"]}'
    answer = send(attacker, "/v1/persons/lookup", twice % json.dumps(secret.who))
    assert (answer.status_code, secret.leaked(answer)) == (400, set())


def send(agency: Any, path: str, content: str | bytes, **headers: str) -> Any:
    headers = {"Content-Type": "application/json"} | headers | agency.headers()
    return agency.http.post(path, content=content, headers=headers)


# Search terms as an oracle


def test_searching_by_what_is_not_covered_does_not_disclose_whether_the_value_is_right(
    attacker: Any, secret: Any
) -> None:
    def told(search: dict[str, str]) -> tuple[int, Any]:
        answer = attacker.lookup(search, [secret.covered[0]])
        assert not secret.leaked(answer)
        return answer.status_code, {**answer.json(), "instance": ""}

    for name, words in secret.words.items():
        if name in secret.who:
            continue
        right, wrong = min(words), min(words)[::-1]
        assert told({name: right})[0] in (403, 422), name
        assert told({name: right}) == told({name: wrong}), name
        assert told(secret.who | {name: right}) == told(secret.who | {name: wrong}), name


def test_a_search_takes_one_whole_value(attacker: Any, secret: Any) -> None:
    number = secret.who["person.personal_id"]
    patterns: list[Any] = [
        *("%", "_" * 12, "*", f"{number[:-1]}%", f"{number[:-1]}_", number[:11], f"{number} ", f"{number}\n"),
        *("", f"{number}' or '1'='1", f"{number}|001084000999", "٠٧٩١٨٤٥٥٥١١١"),
        "".join(chr(ord(sign) + 0xFEE0) for sign in number),
        *([number], {"$ne": ""}, {"like": "%"}, None, True, 79184555111),
    ]
    for pattern in patterns:
        body = {"search": {"person.personal_id": pattern}, "attributes": [secret.covered[0]]}
        answer = attacker.http.post("/v1/persons/lookup", json=body, headers=attacker.headers())
        assert (answer.status_code, secret.leaked(answer)) == (422, set()), pattern


# Feeds, notices, cases


def test_pages_of_feeds_and_notices_hold_what_is_covered_at_every_place(attacker: Any, secret: Any) -> None:
    feed_end, notices_end = (
        attacker.changes("narrow_feed").json()["next"],
        attacker.corrections().json()["next"],
    )
    for after in (0, 1, 2, 10**6, 2**31, 2**63 - 1):
        for limit in (1, 2, 1000):
            feed = attacker.changes("narrow_feed", after=after, limit=limit)
            notices = attacker.corrections(after=after, limit=limit)
            for answer, last in ((feed, feed_end), (notices, notices_end)):
                # Beyond the end a consumer is told where it is.
                assert answer.status_code == (200 if after <= last else 409)
                assert secret.leaked(answer) == set()
    lines = attacker.changes("narrow_feed").json()["changes"]
    assert {name for line in lines for name in line["values"]} == set(secret.covered)
    assert secret.told() <= set(json.dumps(lines).replace('"', " ").split())
    (notice,) = attacker.corrections().json()["notices"]
    assert (notice["attribute"], notice["withheld"], notice["golden_value"]) == ("person.phone", True, None)


def test_the_feed_of_another_is_as_one_that_does_not_exist(attacker: Any, secret: Any) -> None:
    names = [
        "residence",
        "taxpayers",
        "no_such",
        "corrections.customs",
        "NARROW_FEED",
    ]
    answers = [attacker.changes(quote(name, safe="%")) for name in names]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    unfit = [attacker.changes(name) for name in ("narrow_feed%00", "narrow_feed'")]
    assert [answer.status_code for answer in unfit] == [400, 422]
    answers += unfit
    assert not any(secret.leaked(answer) for answer in answers)


def test_a_case_shows_only_what_is_covered_and_no_case_that_is_not(attacker: Any, secret: Any) -> None:
    shown = attacker.http.get(f"/v1/cases/{secret.case}", headers=attacker.headers())
    assert (shown.status_code, secret.leaked(shown)) == (200, set())
    assert {row["attribute"] for row in shown.json()["attributes"]} <= set(secret.covered)
    for number in (secret.others, 10**6, 2**63 - 1):
        hidden = attacker.http.get(f"/v1/cases/{number}", headers=attacker.headers())
        assert (hidden.status_code, hidden.json()["detail"]) == (404, f"there is no case {number}")
    body = {"verdict": "other", "reason": "x", "search": {"person.phone": "Wordphone"}}
    asked = attacker.http.post(f"/v1/cases/{secret.case}/decisions", json=body, headers=attacker.headers())
    assert (asked.status_code, secret.leaked(asked)) in [(403, set()), (422, set())]


def test_a_form_holds_only_what_is_covered(attacker: Any, secret: Any) -> None:
    codes = attacker.http.app.state.hub.agreements["narrow"].procedures
    answers = [attacker.prefill(code, secret.who) for code in codes]
    assert 200 in {answer.status_code for answer in answers}
    assert not any(secret.leaked(answer) for answer in answers)


# Headers


def test_headers_change_nothing(attacker: Any, secret: Any) -> None:
    body = json.dumps({"search": secret.who, "attributes": ["person.religion"]})
    tricks = [
        {"X-HTTP-Method-Override": "GET"},
        {"X-Original-URL": "/v1/agreements/mine"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-User": "client-of-portal-residence"},
        {"X-Request-Id": "Wordreligion"},
        {"Accept": "text/html"},
        {"Accept-Encoding": "gzip"},
        {"Range": "bytes=0-1"},
        {"If-None-Match": "*"},
        {"Expect": "100-continue"},
        {"Cookie": "agreement=portal-residence"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/merge-patch+json"},
    ]
    for trick in tricks:
        answer = send(attacker, "/v1/persons/lookup", body, **trick)
        assert (answer.status_code, secret.leaked(answer)) in [(403, set()), (415, set())], trick
        assert answer.headers["cache-control"] == "no-store"
        assert not {"server", "x-powered-by", "set-cookie", "etag"} & set(answer.headers)


# Who asks


def test_agencies_that_ask_at_once_get_what_is_their_own(
    attacker: Any, admit: Callable[..., Any], secret: Any
) -> None:
    portal = admit("portal-residence")
    portal.token()
    wide = ["person.full_name", "person.phone", "person.mother"]

    def ask(number: int) -> tuple[int, bool]:
        agency, attributes = ((attacker, list(secret.covered)), (portal, wide), (attacker, wide))[number % 3]
        answer = agency.lookup(secret.who, attributes)
        told = set(answer.json().get("attributes", ())) - set(attributes)
        return answer.status_code, bool(told or (agency is attacker and secret.leaked(answer)))

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(ask, range(60))) == [(200, False), (200, False), (403, False)] * 20


# What takes as long


@contextmanager
def counting(hub: Any) -> Iterator[list[str]]:
    """Note every statement that the API sends, but those that take requests of the limits in advance."""
    noted: list[str] = []
    original = hub.database.begun_by
    apart = hub.database.apart

    class Noting:
        def __init__(self, inner: Any) -> None:
            self.__dict__["inner"] = inner

        def __getattr__(self, name: str) -> Any:
            found = getattr(self.inner, name)
            if name == "cursor":
                return lambda *given, **named: Noting(found(*given, **named))
            if name in ("execute", "executemany"):
                return lambda statement, *given: (noted.append(str(statement)), found(statement, *given))[1]
            return found

        def __enter__(self) -> Any:
            self.inner.__enter__()
            return self

        def __exit__(self, *given: Any) -> Any:
            return self.inner.__exit__(*given)

        def __iter__(self) -> Any:
            return iter(self.inner)

    @contextmanager
    def noting(*given: Any, **named: Any) -> Iterator[Any]:
        with original(*given, **named) as (connection, row):
            yield Noting(connection), row

    ask = hub.look_ups.ask

    async def noting_look_up(asked: Any, agreement: str) -> Any:
        answer = await ask(asked, agreement)
        # All that a look-up does in the database; what is told takes another statement there.
        noted.append(f"look-up: {answer.outcome == 'found'}")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub.look_ups, "ask", noting_look_up)
        patch.setattr(hub.database, "begun_by", noting)
        patch.setattr(Database, "apart", lambda connection, question: apart(connection.inner, question))
        yield noted


def test_a_withheld_person_takes_the_same_statements(
    attacker: Any, admit: Callable[..., Any], secret: Any
) -> None:
    hub = attacker.http.app.state.hub
    nobody = {"person.personal_id": "079184000000"}
    bank, city = admit("bank-accounts"), admit("hanoi-one-stop")
    # What a process asks once only.
    for agency in (attacker, bank, city):
        agency.lookup(secret.who, [secret.covered[0]])

    def statements(ask: Callable[[], Any]) -> list[str]:
        with counting(hub) as noted:
            answer = ask()
        assert answer.status_code in (403, 404), answer.text
        return noted

    def case(number: int) -> Any:
        return attacker.http.get(f"/v1/cases/{number}", headers=attacker.headers())

    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "a case that is not covered, and none": (lambda: case(secret.others), lambda: case(10**6)),
        "another's feed, and none": (lambda: attacker.changes("residence"), lambda: attacker.changes("none")),
        "an uncovered attribute of somebody, and of nobody": (
            lambda: attacker.lookup(secret.who, ["person.religion"]),
            lambda: attacker.lookup(nobody, ["person.religion"]),
        ),
        "an uncovered term that is right, and one that is not": (
            lambda: attacker.lookup({"person.tax_code": "8555111333"}, [secret.covered[0]]),
            lambda: attacker.lookup({"person.tax_code": "8555111334"}, [secret.covered[0]]),
        ),
        "no such procedure, for somebody and for nobody": (
            lambda: attacker.prefill("9.999999", secret.who),
            lambda: attacker.prefill("9.999999", nobody),
        ),
        "somebody who has not consented, and nobody": (
            lambda: bank.lookup(secret.who, [secret.covered[0]]),
            lambda: bank.lookup(nobody, [secret.covered[0]]),
        ),
        "somebody who lives elsewhere, and nobody": (
            lambda: city.lookup(secret.who, [secret.covered[0]]),
            lambda: city.lookup(nobody, [secret.covered[0]]),
        ),
    }
    for what, (one, other) in pairs.items():
        first = statements(one)
        assert first, what
        assert first == statements(other), what


def test_the_form_of_another_client_is_as_none(admit: Callable[..., Any], secret: Any) -> None:
    own, other = admit("portal-essential"), admit("portal-essential", "second")
    hub = own.http.app.state.hub
    code = hub.agreements["portal-essential"].procedures[0]
    form = own.prefill(code, secret.who)
    assert form.status_code == 200
    other.lookup(secret.who, [secret.covered[0]])

    def submit(request_id: str) -> tuple[int, dict[str, Any], list[str]]:
        path = f"/v1/procedures/{code}/submissions"
        body = {"request_id": request_id, "search": secret.who, "dossier": "D-1", "answers": {}}
        body = other.proving(secret.who["person.personal_id"], path, body)
        with counting(hub) as noted:
            answer = other.http.post(path, json=body, headers=other.headers())
        assert not {word for words in secret.words.values() for word in words if word in answer.text}
        return answer.status_code, {**answer.json(), "instance": ""}, noted

    theirs = submit(form.json()["request_id"])
    assert theirs[0] == 422
    assert theirs == submit(str(uuid.uuid4()))
