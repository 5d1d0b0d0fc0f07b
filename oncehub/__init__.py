"""oncehub: a data-sharing hub, so that citizens give each detail to the state only once.

The names in `__all__` are the public Python API: what DAGs and programs that embed the hub call. Each is
imported on first use, so that `import oncehub` loads neither Polars nor the database driver. All other names
of the package may change between versions (`docs/versioning.md`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oncehub.api.client import HubClient
    from oncehub.audit.signing.checkpoints import write_checkpoints as sign_checkpoint
    from oncehub.config.catalogue import load_connector, load_connectors
    from oncehub.errors import OncehubError
    from oncehub.initialise import initialise as initialise_database
    from oncehub.intake.sync import sync as sync_source
    from oncehub.reconcile.run import reconcile as reconcile_records
    from oncehub.settings import Settings, load_settings
    from oncehub.share.access.database_access import apply_agreements
    from oncehub.share.corrections.publish_notices import publish_corrections
    from oncehub.share.coverage.measure import record_day as measure_coverage
    from oncehub.share.feeds.entries import publish as publish_feed
    from oncehub.share.retention.purge import purge as purge_expired

__version__ = "0.1.0"

__all__ = [
    "HubClient",
    "OncehubError",
    "Settings",
    "__version__",
    "apply_agreements",
    "initialise_database",
    "load_connector",
    "load_connectors",
    "load_settings",
    "measure_coverage",
    "publish_corrections",
    "publish_feed",
    "purge_expired",
    "reconcile_records",
    "sign_checkpoint",
    "sync_source",
]

_PLACES: Final = {
    "HubClient": ("oncehub.api.client", "HubClient"),
    "OncehubError": ("oncehub.errors", "OncehubError"),
    "Settings": ("oncehub.settings", "Settings"),
    "apply_agreements": ("oncehub.share.access.database_access", "apply_agreements"),
    "initialise_database": ("oncehub.initialise", "initialise"),
    "load_connector": ("oncehub.config.catalogue", "load_connector"),
    "load_connectors": ("oncehub.config.catalogue", "load_connectors"),
    "load_settings": ("oncehub.settings", "load_settings"),
    "measure_coverage": ("oncehub.share.coverage.measure", "record_day"),
    "publish_corrections": ("oncehub.share.corrections.publish_notices", "publish_corrections"),
    "publish_feed": ("oncehub.share.feeds.entries", "publish"),
    "purge_expired": ("oncehub.share.retention.purge", "purge"),
    "reconcile_records": ("oncehub.reconcile.run", "reconcile"),
    "sign_checkpoint": ("oncehub.audit.signing.checkpoints", "write_checkpoints"),
    "sync_source": ("oncehub.intake.sync", "sync"),
}


def __getattr__(name: str) -> Any:
    """Import a name of the public API on its first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value
