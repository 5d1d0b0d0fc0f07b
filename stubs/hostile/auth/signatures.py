"""HTTP message signatures (RFC 9421), checked with nothing but the rules of its sections 2 and 3."""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import Request

from stubs.servers.protocol.refusals import unauthorised

REQUIRED = ("@method", "@target-uri")
MAXIMUM_AGE_SECONDS = 300

_INPUT = re.compile(r'([a-z*][a-z0-9_.*-]*)=(\((?:"[^"]+"(?: "[^"]+")*)?\)((?:;[a-z]+=(?:"[^"]*"|\d+))*))')
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):")
_PARAMETER = re.compile(r';([a-z]+)=(?:"([^"]*)"|(\d+))')


@dataclass(frozen=True)
class SignatureInput:
    """The one member of a `Signature-Input` header: what is covered, its parameters, and its text as sent."""

    label: str
    components: tuple[str, ...]
    parameters: Mapping[str, str]
    text: str

    @classmethod
    def parsed(cls, header: str) -> "SignatureInput | None":
        """What the header says; None where it is not of that form."""
        found = _INPUT.fullmatch(header.strip())
        if found is None:
            return None
        components = tuple(re.findall(r'"([^"]+)"', found[2].partition(")")[0]))
        parameters = {name: text or number for name, text, number in _PARAMETER.findall(found[3])}
        return cls(found[1], components, parameters, found[2])


def signature_base(components: Mapping[str, str], text: str) -> bytes:
    """The signed text (RFC 9421 section 2.5): a line a component, then the signature's own parameters."""
    lines = [f'"{name}": {value}' for name, value in components.items()]
    return "\n".join([*lines, f'"@signature-params": {text}']).encode()


class MessageSignatureCheck:
    """Checks `Signature-Input` and `Signature`: by an Ed25519 public key, or HMAC-SHA256 with a secret.

    Method and target URI must be covered, `created` and `keyid` given; other components may be covered too.
    """

    def __init__(
        self, key_id: str, key: Ed25519PublicKey | bytes, clock: Callable[[], float] = time.time
    ) -> None:
        self._key_id = key_id
        self._key = key
        self._clock = clock

    def check(self, request: Request, _body: bytes) -> None:
        """Refuses with 401 a request that is unsigned, wrongly signed, or signed too long ago."""
        given = SignatureInput.parsed(request.headers.get("Signature-Input", ""))
        signature = _SIGNATURE.fullmatch(request.headers.get("Signature", "").strip())
        if given is None or signature is None or signature[1] != given.label:
            raise unauthorised("unsigned", "Signature-Input and Signature with one label are required")
        self._check_input(given)
        values = {name: _component(request, name) for name in given.components}
        try:
            decoded = base64.b64decode(signature[2], validate=True)
        except binascii.Error:
            raise unauthorised("bad_signature", "Signature is not base64") from None
        self._verify(decoded, signature_base(values, given.text))

    def _check_input(self, given: SignatureInput) -> None:
        if missing := [name for name in REQUIRED if name not in given.components]:
            raise unauthorised("not_covered", f"the signature must cover {', '.join(missing)}")
        if len(set(given.components)) != len(given.components):
            raise unauthorised("not_covered", "a component is covered twice")
        if given.parameters.get("keyid") != self._key_id:
            raise unauthorised("unknown_key", "keyid is not known")
        algorithm = "hmac-sha256" if isinstance(self._key, bytes) else "ed25519"
        if given.parameters.get("alg", algorithm) != algorithm:
            raise unauthorised("bad_algorithm", f"alg must be {algorithm}")
        created = given.parameters.get("created", "")
        if not created.isdigit() or abs(int(created) - self._clock()) > MAXIMUM_AGE_SECONDS:
            raise unauthorised("stale_signature", f"created must be within {MAXIMUM_AGE_SECONDS} seconds")

    def _verify(self, signature: bytes, base: bytes) -> None:
        if isinstance(self._key, bytes):
            right = hmac.compare_digest(signature, hmac.new(self._key, base, hashlib.sha256).digest())
        else:
            right = _is_signed(self._key, signature, base)
        if not right:
            raise unauthorised("bad_signature", "the signature does not match the request")


def _is_signed(key: Ed25519PublicKey, signature: bytes, base: bytes) -> bool:
    try:
        key.verify(signature, base)
    except InvalidSignature:
        return False
    return True


def _component(request: Request, name: str) -> str:
    """A component's value as this server sees it (RFC 9421 sections 2.1 and 2.2)."""
    path = request.scope["raw_path"].decode()
    query = request.scope["query_string"].decode()
    authority = request.headers["host"].lower()
    derived: dict[str, str] = {
        "@method": request.method,
        "@target-uri": f"{request.url.scheme}://{authority}{path}" + (f"?{query}" if query else ""),
        "@authority": authority,
        "@scheme": request.url.scheme,
        "@path": path,
        "@query": f"?{query}",
    }
    if name in derived:
        return derived[name]
    if name.startswith("@") or name not in request.headers:
        raise unauthorised("not_covered", f"component {name} is not known or not in the request")
    return ", ".join(value.strip() for value in request.headers.getlist(name))
