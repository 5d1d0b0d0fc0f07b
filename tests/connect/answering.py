"""Carries requests to a test's own answers instead of the network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from .serving import Answering, Asked


class Carrier(BaseAdapter):
    """Stands where a source's session reaches the network; what lies above it is the real thing."""

    def __init__(self, answering: Answering) -> None:
        super().__init__()
        self._answering = answering

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        headers: Mapping[str, str] = request.headers
        asked = Asked(
            str(request.method), str(parts.path), dict(parse_qsl(str(parts.query))), dict(headers), ""
        )
        reply = self._answering(asked)
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(reply.body), status=reply.status, preload_content=False
        )
        return response

    def close(self) -> None:
        pass
