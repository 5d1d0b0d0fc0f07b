"""What the agencies' client sends, and to whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from oncehub.api.client import HubClient
from oncehub.errors import RequestRefused
from oncehub.share.clients.clients import new_client_key


@contextmanager
def listening(answers: dict[str, tuple[int, str]], asked: list[str]) -> Iterator[str]:
    """Serve each path's status and body; a redirect's body is its target. Paths asked for go to `asked`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            status, text = answers.get(self.path, (404, "{}"))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Keep the server's own log out of the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("led_away", ["/v1/token", "/v1/persons/lookup"])
def test_neither_assertions_nor_identifiers_follow_a_redirect(led_away: str, tmp_path: Path) -> None:
    new_client_key(tmp_path / "agency.pem")
    elsewhere: list[str] = []
    with listening({}, elsewhere) as other, requests.Session() as session:
        session.trust_env = False
        answers = {"/v1/token": (200, '{"access_token": "x", "expires_in": 600}')}
        with listening(answers | {led_away: (307, f"{other}/taken")}, []) as hub:
            client = HubClient(hub, "portal", (tmp_path / "agency.pem").read_bytes(), session)
            with pytest.raises(RequestRefused, match="redirect"):
                client.lookup({"person.personal_id": "001084000999"}, ["person.sex"])
    assert elsewhere == []
