"""How commands and the API log: lines for people, or JSON for machines; no value of an exception.

A line of JSON has the id of its request, or names its run: `landing-12`, `reconcile-7`, `release-31`.
"""

from __future__ import annotations

import logging
import os
import sys
from types import TracebackType
from typing import Final

import orjson
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.processors import JSONRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, WrappedLogger

from oncehub.errors import ConfigError

__all__ = ["FORM", "bind_contextvars", "bound_contextvars", "configure_logging"]

FORM: Final = "ONCEHUB_LOG"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logging(level: int, line: str) -> None:
    """Log to stderr from `level` on.

    Args:
        level: of the logging package.
        line: format of a line for people; JSON is written where `ONCEHUB_LOG` is `json`.

    Raises:
        ConfigError: when `ONCEHUB_LOG` names another form.
    """
    form = os.environ.get(FORM) or "text"
    if form not in {"text", "json"}:
        raise ConfigError(f"{FORM} is neither text nor json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_lines() if form == "json" else _ValuelessFormatter(line))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _ValuelessFormatter(logging.Formatter):
    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Format the exception's type and the places it passed."""
        return "\n".join([*(f"  {place}" for place in _places(ei)), ei[0].__name__ if ei[0] else ""])


def _json_lines() -> logging.Formatter:
    return ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            add_log_level,
            add_logger_name,
            TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            _without_values,
            ProcessorFormatter.remove_processors_meta,
            JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode()),
        ],
    )


def _without_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the places it passed: its message may quote personal data."""
    given = event.pop("exc_info", None)
    if given and given[0]:
        event.update(exception=given[0].__name__, places=_places(given))
    return event


def _places(given: _ExceptionInfo) -> list[str]:
    traceback = given[2]
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} in {code.co_name}")
        traceback = traceback.tb_next
    return places
