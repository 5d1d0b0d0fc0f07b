"""`python -m torture.purging DAYS`: the purge of a later day, in small batches."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from oncehub.errors import OncehubError
from oncehub.settings import load_settings
from oncehub.share.retention.purge import purge

_BATCH: Final = 25

if __name__ == "__main__":
    try:
        purge(load_settings(), now=datetime.now(UTC) + timedelta(days=int(sys.argv[1])), size=_BATCH)
    except OncehubError as error:
        sys.exit(f"purging: {error}")
