"""A connector replaces one step of reading by a function of its own, and nothing else."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.plugins import load_plugin
from oncehub.connect.source import Source
from oncehub.connect.stream.window import Window
from oncehub.errors import AuthenticationError, ConfigError, ContractBroken, SourceUnavailable
from stubs.client import Systems

from .conftest import CONNECTORS, Pauses, real_connection, stored
from .serving import Answering, Asked, Reply, Served, as_json, in_turn

ALL = Window(None, None)

Serve = Callable[[Answering], Served]
Make = Callable[..., Connector]
Open = Callable[..., Source]

SIGNER = "def sign(request, connection):\n    request.headers['X-Sum'] = connection.password\n"
PAGER = """
def next_page(page):
    following = page.content["page"] + 1
    return {"page": following} if following < 4 else None
"""
READER = """
def read(body, headers, connection):
    return {"items": [{"id": int(line)} for line in body.decode().split()], "total": headers.get("X-Total")}
"""


@pytest.fixture
def with_plugin(connector_of: Make, tmp_path: Path) -> Make:
    """Makes a connector with a `connector.py` beside it."""

    def make(plugin: Any, text: str | None, stream: dict[str, Any] | None = None) -> Connector:
        if text is not None:
            (tmp_path / "connector.py").write_text(text, "utf-8")
        return connector_of(stream, **({} if plugin is None else {"plugin": plugin}))

    return make


def records(source: Source) -> list[Any]:
    return [record for page in source.pages("items", ALL) for record in page.records]


def test_a_signer_adds_what_the_source_asks_for(with_plugin: Make, serve: Serve, open_served: Open) -> None:
    served = serve(in_turn(as_json({"items": []})))
    records(open_served(with_plugin("signer", SIGNER), served.host, password="1234"))
    assert served.asked[0].headers["X-Sum"] == "1234"


def test_a_pager_finds_the_way_from_page_to_page(with_plugin: Make, serve: Serve, open_served: Open) -> None:
    def answering(asked: Asked) -> Reply:
        page = int(asked.query.get("page", 1))
        return as_json({"items": [{"id": page}], "page": page})

    source = open_served(with_plugin("paginator", PAGER), serve(answering).host)
    pages = list(source.pages("items", ALL))
    assert [record["id"] for page in pages for record in page.records] == [1, 2, 3]
    state = stored(pages[0].next)
    assert [page.records for page in source.pages("items", ALL, state)] == [[{"id": 2}], [{"id": 3}]]


def test_a_pager_that_leads_in_circles_is_found(with_plugin: Make, serve: Serve, open_served: Open) -> None:
    circling = "def next_page(page):\n    return {'page': page.number % 2}\n"
    served = serve(in_turn(as_json({"items": []})))
    with pytest.raises(ContractBroken, match="leads back to a page"):
        records(open_served(with_plugin("paginator", circling), served.host))


def test_a_pager_leaves_streams_alone_whose_pages_the_connector_describes(
    with_plugin: Make, serve: Serve, open_served: Open
) -> None:
    served = serve(in_turn(as_json({"items": [], "page": 1})))
    stream = {"pages": {"kind": "cursor", "parameter": "c", "next": "next"}}
    records(open_served(with_plugin("paginator", PAGER, stream), served.host))
    assert len(served.asked) == 1


def test_what_a_reader_returns_is_looked_up_as_in_json(
    with_plugin: Make, serve: Serve, open_served: Open
) -> None:
    served = serve(in_turn(Reply(body=b"3 4", headers={"X-Total": "2"})))
    source = open_served(
        with_plugin("reader", READER, {"pages": {"kind": "none", "total": "total"}}), served.host
    )
    assert records(source) == [{"id": 3}, {"id": 4}]


@pytest.mark.parametrize(
    ("plugin", "text", "complaint"),
    [
        ("signer", None, r"connector\.yaml:\d+:\d+: connector\.py is not there; write it, or remove plugin"),
        (None, SIGNER, r"connector\.py lies beside; say what it replaces: plugin: paginator\|signer\|reader"),
        ("reader", SIGNER, "plugin: reader needs the function read and no other; here is sign"),
        ("signer", SIGNER + READER, "needs the function sign and no other; here is sign, read"),
        ("signer", "", "here is none"),
        ("signer", "def sign(request):\n    pass\n", "sign must take 2 arguments"),
        ("signer", "def sign(request,", "cannot be loaded: SyntaxError"),
        ("signer", "import no_such_module\n", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_part_that_does_not_fit_is_found_when_files_are_checked(
    plugin: str | None, text: str | None, complaint: str, with_plugin: Make
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_plugin(with_plugin(plugin, text))


def test_a_part_may_have_private_functions_and_names_of_others(with_plugin: Make) -> None:
    text = "from json import loads\n\n\ndef _own():\n    pass\n\n\n" + SIGNER
    assert load_plugin(with_plugin("signer", text)).sign is not None


def test_loading_leaves_nothing_among_the_files(with_plugin: Make, tmp_path: Path) -> None:
    load_plugin(with_plugin("signer", SIGNER))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["connector.py", "connector.yaml"]


@pytest.mark.parametrize(
    ("plugin", "function"),
    [
        ("signer", "sign(request, connection)"),
        ("paginator", "next_page(page)"),
        ("reader", "read(body, headers, connection)"),
    ],
)
def test_a_part_that_fails_is_named_without_what_it_read(
    plugin: str,
    function: str,
    with_plugin: Make,
    serve: Serve,
    open_served: Open,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = f"def {function}:\n    raise ValueError('079012345678')\n"
    served = serve(in_turn(as_json({"items": []})))
    with caplog.at_level(logging.DEBUG), pytest.raises(ContractBroken) as failure:
        records(open_served(with_plugin(plugin, text), served.host))
    assert str(failure.value) == f"tax: its own {plugin} failed with ValueError"
    assert failure.value.__suppress_context__
    assert "079012345678" not in caplog.text


def test_an_error_of_the_hub_passes_as_it_is(with_plugin: Make, serve: Serve, open_served: Open) -> None:
    text = (
        "from oncehub.errors import AuthenticationError\n\n\n"
        "def sign(request, connection):\n    raise AuthenticationError('tax: no key')\n"
    )
    served = serve(in_turn(as_json({"items": []})))
    with pytest.raises(AuthenticationError, match=r"^tax: no key$"):
        records(open_served(with_plugin("signer", text), served.host))


def test_a_reader_may_ask_for_another_try(
    with_plugin: Make, serve: Serve, open_served: Open, pauses: Pauses
) -> None:
    text = (
        "from oncehub.errors import SourceUnavailable\n\n\n"
        "def read(body, headers, connection):\n    raise SourceUnavailable('half a page')\n"
    )
    served = serve(in_turn(as_json({"items": []})))
    with pytest.raises(SourceUnavailable, match=r"tax\.items: page 1: half a page; tried 3 times"):
        records(open_served(with_plugin("reader", text), served.host))
    assert len(pauses.seconds) == 2


def test_a_pager_that_gives_no_parameters_breaks_the_contract(
    with_plugin: Make, serve: Serve, open_served: Open
) -> None:
    served = serve(in_turn(as_json({"items": []})))
    with pytest.raises(ContractBroken, match="tax: its own paginator gave no query parameters"):
        records(open_served(with_plugin("paginator", "def next_page(page):\n    return 7\n"), served.host))


PROTECTED = {"alg": "ES256", "b64": False, "crit": ["b64"]}
BODY = orjson.dumps({"Accounts": [{"RsrcId": "1"}]})


class Bank:
    """Signs as the bank does, with a key of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.key = ECKey.generate_key("P-256")
        path = folder / "bank.pem"
        path.write_bytes(self.key.as_pem(private=False))
        self.connection = Connection("https://bank.example", extra={"jws_public_key": str(path)})

    def signature(self, body: bytes, protected: dict[str, Any] | None = None) -> str:
        return jws.serialize_compact(protected or PROTECTED, body, self.key)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


def read_by_the_bank(body: bytes, headers: dict[str, str], connection: Connection) -> Any:
    reader = load_plugin(Connector.load(CONNECTORS / "banking" / "connector.yaml")).reader
    assert reader is not None
    return reader(body, headers, connection)


def test_the_bank_is_read_where_its_signature_fits(bank: Bank) -> None:
    headers = {"x-jws-signature": bank.signature(BODY)}
    assert read_by_the_bank(BODY, headers, bank.connection) == orjson.loads(BODY)


def test_a_page_of_the_bank_that_is_larger_than_a_token_usually_is_is_read(bank: Bank) -> None:
    large = orjson.dumps({"Accounts": [{"RsrcId": "9" * 500_000}]})
    registry = jws.JWSRegistry(algorithms=["ES256"])
    headers = {"x-jws-signature": jws.serialize_compact(PROTECTED, large, bank.key, registry=registry)}
    assert read_by_the_bank(large, headers, bank.connection) == orjson.loads(large)


def test_nothing_is_taken_from_the_bank_with_a_signature_that_does_not_fit(
    bank: Bank, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Bank(tmp_path / "other").signature(BODY)
    own = bank.signature(BODY)
    claimed = base64.urlsafe_b64encode(BODY).rstrip(b"=").decode()
    whole = jws.serialize_compact({"alg": "ES256"}, b"other", bank.key)
    unsigned = base64.urlsafe_b64encode(orjson.dumps(PROTECTED | {"alg": "none"})).rstrip(b"=").decode()
    wrong = {
        "another key": other,
        "nothing": "",
        "no token": "nonsense",
        "a cut signature": own[:-3],
        "the signature of another page": bank.signature(BODY.replace(b"1", b"2")),
        "a token with a body of its own": whole,
        "no algorithm": f"{unsigned}..",
        "no algorithm, with the body": f"{unsigned}.{claimed}.",
    }
    taken = []
    for name, signature in wrong.items():
        try:
            read_by_the_bank(BODY, {"x-jws-signature": signature}, bank.connection)
        except ContractBroken:
            continue
        taken.append(name)
    assert taken == []


@pytest.mark.parametrize("extra", [{}, {"jws_public_key": "/no/such/file"}])
def test_the_bank_is_not_read_without_its_key(extra: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="jws_public_key in extra must be the bank's public key as PEM"):
        read_by_the_bank(BODY, {}, Connection("https://bank.example", extra=extra))


def test_a_key_that_is_not_the_banks_lets_nothing_in(
    systems: Systems, open_real: Open, tmp_path: Path
) -> None:
    real = real_connection(systems, "banking")
    own = Bank(tmp_path).connection.extra["jws_public_key"]
    wrong = Connection(real.host, extra={**real.extra, "jws_public_key": own})
    with pytest.raises(ContractBroken, match="x-jws-signature"):
        list(open_real("banking", wrong).pages("accounts", ALL))


def test_several_steps_may_be_replaced(with_plugin: Make, serve: Serve, open_served: Open) -> None:
    served = serve(lambda asked: Reply(body=b"1\n2", headers={"X-Total": "2"}))
    connector = with_plugin(
        ["signer", "reader"], SIGNER + READER, {"pages": {"kind": "none", "total": "total"}}
    )
    assert records(open_served(connector, served.host, password="1234")) == [{"id": 1}, {"id": 2}]
    assert served.asked[0].headers["X-Sum"] == "1234"
    with pytest.raises(ConfigError, match="signer, reader needs the function sign and read and no other"):
        load_plugin(with_plugin(["signer", "reader"], SIGNER))
