"""The assets through which one DAG triggers the next."""

from __future__ import annotations

from airflow.sdk import Asset

TRUTH = Asset("oncehub_truth", uri="oncehub://truth/person")
"""The golden records: updated by `reconcile`, read by `publish_<feed>`."""


def records(source: str, stream: str) -> Asset:
    """Return the asset of one stream's records: updated by `sync_<source>`, read by `reconcile`."""
    return Asset(f"oncehub_records_{source}_{stream}", uri=f"oncehub://records/{source}/{stream}")
