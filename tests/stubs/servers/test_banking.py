"""The banks: mutual TLS, Link headers, 429 with Retry-After."""

import base64
import json
from datetime import UTC
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from stubs.servers.protocol.certificates import make_tls_files

STREAM = "banking", "accounts"


def zulu(instant):
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def test_a_full_read_by_link_headers_gives_exactly_the_live_records_in_order(reader, expected):
    assert reader.banking(limit=200) == expected.live(*STREAM)


def test_the_default_page_has_500_accounts_and_the_last_no_link(reader, expected):
    live = expected.live(*STREAM)
    first = reader.banking_get()
    assert len(first.json()["Accounts"]) == min(500, len(live))
    exactly_all = reader.banking_get(limit=1000)
    assert ("next" in exactly_all.links) == (len(live) > 1000)


def test_no_link_follows_a_page_that_ends_exactly_at_the_end(reader, expected):
    since, _ = expected.instants(*STREAM)
    total = expected.frame(*STREAM).filter(expected.frame(*STREAM)["_updated_at"] >= since).height
    query = {"changed_since": zulu(since)}
    assert "next" not in reader.banking_get(limit=total, **query).links
    assert "next" in reader.banking_get(limit=total - 1, **query).links


def test_changes_come_with_the_removed_ones_and_the_link_keeps_the_window(reader, expected):
    since, until = expected.instants(*STREAM)
    changed = expected.changed(*STREAM, since, until)
    read = reader.banking(limit=60, changed_since=zulu(since), changed_before=zulu(until))
    assert read == expected.records(changed)


def test_removed_accounts_come_only_among_changes(reader, expected):
    frame = expected.frame(*STREAM)
    assert frame["_deleted"].any()
    assert len(reader.banking(limit=1000, changed_since="2000-01-01T00:00:00Z")) == frame.height


def test_every_25th_request_must_wait(reader):
    extra = reader.connections["banking"]["extra"]
    tls = {"cert": (extra["client_certificate"], extra["client_key"]), "verify": extra["ca"]}
    url = reader.connections["banking"]["host"] + "/open-banking/v1/accounts"
    with requests.Session() as session:
        answers = [session.get(url, params={"limit": 1}, timeout=30, **tls) for _ in range(50)]
    refused = [index for index, answer in enumerate(answers) if answer.status_code == 429]
    assert len(refused) == 2
    assert refused[1] - refused[0] == 25
    assert all(answers[index].headers["Retry-After"] == "1" for index in refused)


def test_without_a_client_certificate_there_is_no_answer(reader):
    url = reader.connections["banking"]["host"] + "/open-banking/v1/accounts"
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        requests.get(url, verify=reader.connections["banking"]["extra"]["ca"], timeout=30)


def test_a_client_certificate_of_another_authority_is_refused(reader, tmp_path):
    other = make_tls_files(tmp_path)
    url = reader.connections["banking"]["host"] + "/open-banking/v1/accounts"
    cert = str(other.client_certificate), str(other.client_key)
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        requests.get(url, cert=cert, verify=reader.connections["banking"]["extra"]["ca"], timeout=30)


def test_the_servers_certificate_is_under_its_own_authority_only(reader):
    extra = reader.connections["banking"]["extra"]
    url = reader.connections["banking"]["host"] + "/open-banking/v1/accounts"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, cert=(extra["client_certificate"], extra["client_key"]), timeout=30)


def test_the_server_answers_to_the_name_localhost_too(reader):
    url = (
        reader.connections["banking"]["host"].replace("127.0.0.1", "localhost") + "/open-banking/v1/accounts"
    )
    assert reader.banking_get(url, limit=1).status_code == 200


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "1001"),
        ("page_token", "nonsense"),
        ("changed_since", "2026-05-01T00:00:00+07:00"),
        ("changed_before", "2026-05-01"),
        ("cursor", "x"),
    ],
)
def test_a_wrong_parameter_is_named(reader, parameter, value):
    answer = reader.banking_get(**{parameter: value})
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_every_page_is_signed_over_its_body_as_sent(reader):
    key = serialization.load_pem_public_key(
        Path(reader.connections["banking"]["extra"]["jws_public_key"]).read_bytes()
    )
    answer = reader.banking_get(limit=50)
    protected, body, signature = answer.headers["x-jws-signature"].split(".")
    assert body == ""
    assert json.loads(decoded(protected)) == {"alg": "ES256", "b64": False, "crit": ["b64"]}
    r, s = (int.from_bytes(half, "big") for half in (decoded(signature)[:32], decoded(signature)[32:]))
    signed = protected.encode() + b"." + answer.content
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
