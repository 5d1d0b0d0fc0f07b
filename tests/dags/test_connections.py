"""Airflow's connections as the hub reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oncehub.airflow.connections import airflow_connection
from oncehub.errors import ConfigError


def stated(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONCEHUB_TAX", json.dumps({"conn_type": "http", **fields}))


def test_address_and_credentials_come_from_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    stated(monkeypatch, host="http://127.0.0.1:8081/", login="key", password="secret", extra={"ca": "/x"})
    connection = airflow_connection("tax")
    assert connection.host == "http://127.0.0.1:8081"
    assert (connection.login, connection.password, connection.extra) == ("key", "secret", {"ca": "/x"})


def test_a_host_name_is_completed_by_schema_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    stated(monkeypatch, host="tax.example", port=8443)
    assert airflow_connection("tax").host == "https://tax.example:8443"
    stated(monkeypatch, host="tax.example", schema="http")
    assert airflow_connection("tax").host == "http://tax.example"
    stated(monkeypatch, host="https://tax.example/api", port=8443)
    assert airflow_connection("tax").host == "https://tax.example:8443/api"
    stated(monkeypatch, host="https://tax.example/api", port=443)
    assert airflow_connection("tax").host == "https://tax.example/api"


def test_fields_of_the_form_that_are_empty_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    stated(monkeypatch, host="https://h", extra={"source": "tax", "ca": "", "folder": None, "key_id": "k"})
    assert airflow_connection("tax").extra == {"key_id": "k"}


def test_the_connection_of_another_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stated(monkeypatch, host="https://h", extra={"source": "customs"})
    with pytest.raises(ConfigError, match="'oncehub_tax' is of the source 'customs'"):
        airflow_connection("tax")


def test_a_missing_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ONCEHUB_TAX", raising=False)
    with pytest.raises(ConfigError, match="no connection 'oncehub_tax'"):
        airflow_connection("tax")


def test_a_connection_without_a_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stated(monkeypatch, login="key")
    with pytest.raises(ConfigError, match="'oncehub_tax' has no host"):
        airflow_connection("tax")
