"""A time-stamping authority (RFC 3161): `openssl ts` behind HTTP.

`python time_authority.py FOLDER HOST PORT` serves one.
"""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIGURATION = """
[ tsa ]
default_tsa = own
[ own ]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
[ extensions ]
extendedKeyUsage = critical, timeStamping
"""


def make_authority(folder: Path) -> None:
    """Make its root (`root.pem`), its certificate and its key in a folder."""
    (folder / "openssl.cnf").write_text(_CONFIGURATION.format(folder=folder), "utf-8")
    (folder / "serial").write_text("01\n", "utf-8")
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    _openssl(folder, *new, "/CN=root", "-x509", "-days", "2", "-keyout", "root.key", "-out", "root.pem")
    _openssl(folder, *new, "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr")
    signed_by_root = ("x509", "-req", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
    extensions = ("-extfile", "openssl.cnf", "-extensions", "extensions")
    _openssl(folder, *signed_by_root, *extensions, "-days", "2", "-in", "tsa.csr", "-out", "tsa.pem")


def authority_server(folder: Path, host: str = "127.0.0.1", port: int = 0) -> HTTPServer:
    """Return the server of the authority in a folder, which listens already."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            reply = ("ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query", "-out", "reply")
            _openssl(folder, *reply)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((folder / "reply").read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    return HTTPServer((host, port), Handler)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)


if __name__ == "__main__":
    authority_server(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).serve_forever()
