"""The hub over HTTP: tokens, look-ups, prefills, feeds."""

from oncehub.api.app import create_app
from oncehub.api.client import HubClient
from oncehub.api.server.serving import run

__all__ = ["HubClient", "create_app", "run"]
