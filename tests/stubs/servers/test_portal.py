"""The public service portal: offset pages over accounts and dossiers."""

import jwt
import polars as pl
import pytest
import requests

from stubs.client import SystemsError

STREAMS = ["accounts", "dossiers"]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_full_read_gives_exactly_the_live_records_in_order(reader, expected, stream):
    assert reader.portal(stream) == expected.live("portal", stream)


@pytest.mark.parametrize("stream", STREAMS)
def test_changes_come_with_the_deleted_ones_whole(reader, expected, stream):
    since, until = expected.instants("portal", stream)
    changed = expected.changed("portal", stream, since, until)
    bounds = {"updated_from": since.isoformat(), "updated_to": until.isoformat()}
    assert reader.portal(stream, limit=71, **bounds) == expected.records(changed)


@pytest.mark.parametrize("stream", STREAMS)
def test_deleted_records_are_marked(reader, expected, stream):
    gone = expected.frame("portal", stream).filter("_deleted", pl.col("_raw").is_null())
    assert gone.height
    read = reader.portal(stream, limit=1000, updated_from="2000-01-01T00:00:00Z")
    assert [record for record in read if record.get("DaXoa") is True] == expected.records(gone)


def test_an_offset_beyond_the_end_is_an_empty_page(reader):
    assert reader.portal_get("accounts")(offset=10_000_000).json()["duLieu"] == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("limit", "1001"), ("limit", "0"), ("offset", "-1"), ("updated_from", "01/05/2026"), ("cursor", "x")],
)
def test_a_wrong_parameter_is_named(reader, parameter, value):
    answer = reader.portal_get("accounts")(**{parameter: value})
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_a_repeated_parameter_is_refused(reader):
    url = reader.connections["portal"]["host"] + "/api/v1/accounts?limit=5&limit=6"
    answer = requests.get(url, headers=reader.bearer("portal"), timeout=30)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "limit")


def test_a_token_of_the_population_database_is_no_token_here(reader):
    url = reader.connections["portal"]["host"] + "/api/v1/accounts"
    assert requests.get(url, headers=reader.bearer("population"), timeout=30).status_code == 401


def test_its_identity_provider_proves_citizens_of_the_register_by_its_published_key(systems, expected):
    number = expected.frame("population", "citizens").filter(~pl.col("_deleted"))["SoDinhDanh"][0]
    token = systems.sign_in(number, "nonce")
    issuer = systems.connections["portal"]["host"] + "/identity"
    configured = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
    (key,) = requests.get(configured["jwks_uri"], timeout=30).json()["keys"]
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience="dichvucong")
    assert (claims["iss"], claims["sub"], claims["nonce"]) == (configured["issuer"], number, "nonce")
    with pytest.raises(SystemsError, match="404"):
        systems.sign_in("000000000000", "nonce")
