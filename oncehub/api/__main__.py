"""`python -m oncehub.api`: the hub's API on its own."""

from __future__ import annotations

import argparse
import sys

from oncehub.errors import OncehubError
from oncehub.extras import needs_extra
from oncehub.settings import load_settings


def main() -> None:
    """Parse the arguments and serve; an error of the hub is one line and status 1."""
    parser = argparse.ArgumentParser(prog="python -m oncehub.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    arguments = parser.parse_args()
    try:
        with needs_extra("api"):
            from oncehub.api.server.serving import run  # noqa: PLC0415

        run(load_settings(), host=arguments.host, port=arguments.port)
    except OncehubError as error:
        sys.stderr.write(f"oncehub: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
