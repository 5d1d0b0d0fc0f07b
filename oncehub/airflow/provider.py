"""The hub as a provider of Airflow: the connection type of the sources, with its form."""

from __future__ import annotations

from typing import Any, Final

CONNECTION_TYPE: Final = "oncehub_source"
PREFIX: Final = "oncehub_"
"""Of the ids of connections, before the source's name."""


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow asks each provider for, as its `provider_info.schema.json` says."""
    return {
        "package-name": "oncehub",
        "name": "oncehub",
        "description": "The sources of the data-sharing hub.",
        "hooks": [{"integration-name": "oncehub", "python-modules": ["oncehub.airflow.hook"]}],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "oncehub.airflow.hook.OncehubSourceHook",
                "hook-name": "oncehub source",
                "conn-fields": _FIELDS,
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "host": "Base URL",
                        # Airflow's page sends 0 for an absent port when it tests, and then finds it changed.
                        "port": "Port (Test needs it, e.g. 443)",
                        "login": "Client id, key id or user name",
                        "password": "Secret or API key",
                    },
                    "placeholders": {"host": "https://api.example.vn"},
                },
            }
        ],
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _path(label: str, description: str) -> dict[str, Any]:
    return _text(label, f"{description}; a path on the machines that run tasks")


def _pem(label: str, description: str) -> dict[str, Any]:
    """Return a field of several lines: what stands in it, no machine that runs tasks needs as a file."""
    field = _text(label, f"{description}; or the path of its file on the machines that run tasks")
    field["schema"]["format"] = "multiline"
    return field


# They are stored in the connection's extra under these names (docs/guides/connectors.md).
_FIELDS: Final = {
    "source": _text("Source", "Name of the connector, e.g. tax; the connection's id is oncehub_<source>"),
    "ca": _pem(
        "Authority", "PEM of the authority that signed the source's certificate, if none of the public"
    ),
    "client_certificate": _pem("Client certificate", "PEM, for mutual TLS"),
    "client_key": _pem("Key of the client certificate", "PEM, for mutual TLS"),
    "private_key": _pem("Signing key", "PEM or JWK that requests or assertions are signed with"),
    "key_id": _text("Id of the signing key", "As the source knows it"),
    "folder": _path("Folder", "Of files that the source delivers"),
}
