"""An OpenID Connect provider of another project, and a citizen's browser that signs in there for a portal."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests

HERE = Path(__file__).parent
CACHE = Path(__file__).parents[3] / ".cache"
BACK = "https://portal.example/back"


def client(name: str, algorithm: str = "RS256", **more: Any) -> dict[str, Any]:
    """A portal as the provider knows it."""
    return {
        "client_id": name,
        "id_token_signed_response_alg": algorithm,
        "redirect_uris": [BACK],
        "token_endpoint_auth_method": "none",
        **more,
    }


@dataclass(frozen=True)
class ForeignProvider:
    """A running provider.

    Attributes:
        issuer: its address, too.
        client: the portal's client id, unless told otherwise.
    """

    issuer: str
    client: str

    @property
    def configuration(self) -> dict[str, Any]:
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        return dict(requests.get(address, timeout=30).json())

    def id_token(self, number: str, nonce: str, client: str = "", **asked: Any) -> str:
        """The ID token of an authorization code flow (OpenID Connect Core 1.0 section 3.1) with PKCE."""
        client, verifier, known = client or self.client, secrets.token_urlsafe(40), self.configuration
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": client,
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": BACK,
            "nonce": nonce,
            "login_hint": number,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            # It says how and when a person signed in only to a portal that asks.
            "acr_values": "2",
            **asked,
        }
        with requests.Session() as browser:
            address = requests.Request("GET", known["authorization_endpoint"], params=query).prepare().url
            while not str(address).startswith(BACK):
                answer = browser.get(str(address), allow_redirects=False, timeout=30)
                assert "location" in answer.headers, answer.text
                address = urljoin(str(address), answer.headers["location"])
        form = {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": dict(parse_qsl(urlsplit(str(address)).query))["code"],
            "redirect_uri": BACK,
            "code_verifier": verifier,
        }
        return str(requests.post(known["token_endpoint"], data=form, timeout=30).json()["id_token"])


@contextmanager
def foreign_provider(
    jwks: Mapping[str, Any],
    *clients: Mapping[str, Any],
    acr: str | None = "2",
    port: int = 0,
    path: str = "",
) -> Iterator[ForeignProvider]:
    """Run the provider with its private keys and the portals that it knows; the first is the portal."""
    given = {"jwks": jwks, "clients": clients, "acr": acr, "port": port, "path": path}
    with subprocess.Popen(
        ["node", "provider.mjs"],
        cwd=_installed(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        issuer = process.stdout.readline().strip()
        assert issuer, "the provider did not start: node provider.mjs"
        try:
            yield ForeignProvider(issuer, clients[0]["client_id"])
        finally:
            process.stdin.close()


def _installed() -> Path:
    """The provider's folder with its packages, installed once by what the lock file pins."""
    files = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs")]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:12]
    folder = CACHE / f"foreign-provider-{digest}"
    if folder.exists():
        return folder
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as making:
        for each in files:
            shutil.copy(each, making)
        if all(map(shutil.which, ("node", "npm"))):
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=making, capture_output=True, text=True, check=False)
            why = done.stderr if done.returncode else ""
        else:
            why = "node and npm are not installed"
        if why:
            if os.environ.get("CI"):
                pytest.fail(f"the provider of others cannot be installed: {why}")
            warnings.warn(f"NO IDENTITY PROVIDER OF OTHERS IS TRIED: {why}", stacklevel=1)
            pytest.skip(why)
        # Another worker of the tests may have been faster.
        if not folder.exists():
            try:
                Path(making).rename(folder)
            except OSError:
                assert folder.exists()
            else:
                Path(making).mkdir()
    return folder
