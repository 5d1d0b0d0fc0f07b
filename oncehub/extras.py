"""Optional parts of the hub, whose packages only an extra of the distribution installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from oncehub.errors import ExtraMissing

Extra = Literal["airflow", "api", "embedded", "sftp", "sql", "traces", "watch", "wsdl"]


@contextmanager
def needs_extra(extra: Extra, otherwise: str = "") -> Iterator[None]:
    """Import inside what an extra installs.

    Args:
        extra: its name in `pyproject.toml`.
        otherwise: what the operator can do without it, appended to the error.

    Raises:
        ExtraMissing: when a package is not installed; it names the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "oncehub":
            raise
        advice = f", {otherwise}" if otherwise else ""
        raise ExtraMissing(
            f"the package {error.name} is not installed; run: pip install 'oncehub[{extra}]'{advice}"
        ) from None
