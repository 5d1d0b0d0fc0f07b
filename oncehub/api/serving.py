"""Running the API under uvicorn, and what its log may say."""

from __future__ import annotations

import logging
import socket
import sys
from types import TracebackType

import uvicorn

from oncehub.api.app import create_app
from oncehub.model.errors import ConfigError
from oncehub.model.settings import Settings

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class ValuelessFormatter(logging.Formatter):
    """Shows where an unexpected exception came from, but not its message, which may quote personal data."""

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Format the exception's type and the places it passed."""
        kind, _, traceback = ei
        places = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            places.append(f"  {code.co_filename}:{traceback.tb_lineno} in {code.co_name}")
            traceback = traceback.tb_next
        return "\n".join([*places, kind.__name__ if kind else ""])


def configure_logging() -> None:
    """Log to stderr: one line a request (method, declared path, status, time), no values from anywhere."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ValuelessFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`:`port`; port 0 takes a free one.

    Raises:
        ConfigError: when the port is in use or may not be taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    return listener


def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve the API until SIGINT or SIGTERM; the address stands on stdout once it listens.

    Raises:
        ConfigError, StoreError: see `listening` and `create_app`.
    """
    configure_logging()
    with listening(host, port) as listener:
        app = create_app(settings)
        address, actual = listener.getsockname()
        sys.stdout.write(f"listening on http://{address}:{actual}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
