"""A plain reader of the hostile source, written from its description and not from its code."""

import base64
import csv
import gzip
import hashlib
import hmac
import io
import json
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey

from stubs.hostile.client import HostileSource
from stubs.hostile.variant import Variant

Record = dict[str, Any]
Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]

NAMESPACE = "{urn:vn:dat-dai:so-dia-chinh:1}"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def as_sent(record: Record, variant: Variant) -> Record:
    """A record of the truth in the shape that a reader of the variant's format gets."""
    if variant.format in ("json", "jsonl"):
        return record
    if variant.format == "csv":
        return {name: csv_text(value) for name, value in record.items()}
    return {
        name: [str(one) for one in value] if isinstance(value, list) else str(value)
        for name, value in record.items()
        if value is not None
    }


def csv_text(value: Any) -> str:
    return "|".join(value) if isinstance(value, list) else "" if value is None else str(value)


class PlainReader:
    """Reads a source with nothing but requests; a failure is an exception of requests."""

    def __init__(self, source: HostileSource) -> None:
        self.variant = source.variant
        self.connection = source.connection
        self.extra = source.connection["extra"]
        self.session = requests.Session()
        self.session.trust_env = False
        if source.variant.auth == "mutual_tls":
            self.session.cert = self.extra["client_certificate"], self.extra["client_key"]
            self.session.verify = self.extra["ca"]
        self.sign = self.signer()

    def get(self, path: str, **query: object) -> requests.Response:
        """GETs a path or URL with credentials."""
        url = urljoin(self.connection["host"], path)
        return self.session.get(url, params=query, auth=self.sign, timeout=30)

    def read(self, path: str = "/holders", *, limit: int = 30, **query: object) -> list[Record]:
        """All records of a listing, page by page."""
        return [record for page in self.pages(path, limit=limit, **query) for record in self.records(page)]

    def pages(
        self, path: str = "/holders", *, limit: int = 30, **query: object
    ) -> Iterator[requests.Response]:
        """The answers of a listing, page by page."""
        if self.variant.pages == "none":
            yield good(self.get(path, **query))
            return
        asked: dict[str, object] = {"limit": limit, **query}
        answer = good(self.get(path, **asked))
        yield answer
        read = len(self.records(answer))
        number = self.variant.first_page
        while (following := self.following(answer, read, number)) is not None:
            target, more = following
            answer = good(self.get(target) if target else self.get(path, **asked, **more))
            number += 1
            read += len(self.records(answer))
            yield answer

    def following(
        self, answer: requests.Response, read: int, number: int
    ) -> tuple[str, dict[str, object]] | None:
        """The next page: its URL, or the parameters that ask for it; None behind the last."""
        match self.variant.pages:
            case "number":
                return ("", {"page": number + 1}) if self.records(answer) else None
            case "offset":
                return ("", {"offset": read}) if self.records(answer) else None
            case "cursor":
                token = self.fact(answer, "next", "X-Next-Cursor")
                return ("", {"cursor": token}) if token else None
            case "next_url":
                url = self.fact(answer, "next")
                return (url, {}) if url else None
        link = answer.links.get("next")
        return (link["url"], {}) if link else None

    def fact(self, answer: requests.Response, name: str, header: str = "") -> Any:
        """What a page says of itself, in its body or a header; None where it says nothing."""
        if self.variant.format == "json" and not self.variant.body_is_list:
            return self.document(answer)["data"].get(name)
        if self.variant.format == "xml":
            return ET.fromstring(self.unpacked(answer)).findtext(f"{NAMESPACE}thongTin/{NAMESPACE}{name}")
        return answer.headers.get(header)

    def total(self, answer: requests.Response) -> int:
        """The declared total."""
        return int(
            self.fact(answer, "total") if self.variant.total == "body" else answer.headers["X-Total-Count"]
        )

    def records(self, answer: requests.Response) -> list[Record]:
        """The records of an answer."""
        return parsed(self.unpacked(answer), self.variant)

    def document(self, answer: requests.Response) -> Any:
        """A JSON answer."""
        return json.loads(self.unpacked(answer))

    def unpacked(self, answer: requests.Response) -> bytes:
        """A body, unpacked; a Content-Encoding is undone already."""
        return gzip.decompress(answer.content) if self.variant.compression == "file" else answer.content

    def signer(self) -> Sign:
        """What adds the variant's credentials to a request."""
        if self.variant.auth.startswith("oauth2"):
            bearer = f"Bearer {good(self.token()).json()['access_token']}"
            return lambda request: with_headers(request, {"Authorization": bearer})
        password, login = self.connection.get("password", ""), self.connection.get("login", "")
        signers: dict[str, Sign] = {
            "api_key_header": lambda request: with_headers(request, {"X-API-Key": password}),
            "api_key_query": lambda request: with_query(request, "api_key", password),
            "api_key_cookie": lambda request: with_headers(request, {"Cookie": f"api_key={password}"}),
            "basic": requests.auth.HTTPBasicAuth(login, password),
            "bearer": lambda request: with_headers(request, {"Authorization": f"Bearer {password}"}),
            "hmac": lambda request: with_headers(request, hmac_headers(request, login, password)),
            "signature_hmac": lambda request: with_headers(request, self.message_signature(request)),
            "signature_ed25519": lambda request: with_headers(request, self.message_signature(request)),
        }
        return signers.get(self.variant.auth, lambda request: request)

    def token(self, **changed: str) -> requests.Response:
        """Asks for a token as the variant wants it, but for the form fields that are `changed`."""
        login, password = self.connection["login"], self.connection.get("password")
        form = {"grant_type": "client_credentials", "scope": self.extra["scope"]}
        match self.variant.auth:
            case "oauth2_basic":
                return self.token_request(form | changed, auth=(login, password))
            case "oauth2_post":
                return self.token_request(form | {"client_id": login, "client_secret": password} | changed)
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion()}
        return self.token_request(form | proof | changed)

    def token_request(self, form: dict[str, str], auth: tuple[str, str] | None = None) -> requests.Response:
        """Posts a form to the token endpoint."""
        return self.session.post(self.extra["token_url"], data=form, auth=auth, timeout=30)

    def assertion(self, **changed: object) -> str:
        """A client assertion (RFC 7523), but for the claims that are `changed`."""
        login, now = self.connection["login"], int(time.time())
        claims = {"iss": login, "sub": login, "aud": self.extra["token_url"], "exp": now + 60}
        claims |= {"jti": str(uuid.uuid4()), **changed}
        key = ECKey.import_key(Path(self.extra["private_key"]).read_bytes())
        return jwt.encode({"alg": "ES256"}, claims, key)

    def message_signature(
        self,
        request: requests.PreparedRequest,
        *,
        components: tuple[str, ...] = ("@method", "@target-uri"),
        age: int = 0,
        key_id: str | None = None,
    ) -> dict[str, str]:
        """The two headers of RFC 9421, with an Ed25519 key or HMAC-SHA256."""
        values = {
            "@method": request.method,
            "@target-uri": request.url,
            "@path": urlsplit(request.url).path,
            "accept": request.headers.get("Accept"),
        }
        created = int(time.time()) - age
        covered = " ".join(f'"{name}"' for name in components)
        parameters = f'({covered});created={created};keyid="{key_id or self.connection["login"]}"'
        lines = [f'"{name}": {values[name]}' for name in components]
        base = "\n".join([*lines, f'"@signature-params": {parameters}']).encode()
        text = base64.b64encode(self.signed(base)).decode()
        return {"Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{text}:"}

    def signed(self, base: bytes) -> bytes:
        """A signature base's signature."""
        if self.variant.auth == "signature_hmac":
            return hmac.new(self.connection["password"].encode(), base, hashlib.sha256).digest()
        return load_pem_private_key(Path(self.extra["private_key"]).read_bytes(), None).sign(base)


def good(answer: requests.Response) -> requests.Response:
    answer.raise_for_status()
    return answer


def parsed(body: bytes, variant: Variant) -> list[Record]:
    """The records in a body."""
    match variant.format:
        case "json":
            content = json.loads(body)
            return content if variant.body_is_list else content["data"]["items"]
        case "jsonl":
            return [json.loads(line) for line in body.splitlines()]
        case "csv":
            return csv_records(body, variant)
        case "xml":
            return [xml_record(element) for element in ET.fromstring(body).find(f"{NAMESPACE}danhSach")]


def csv_records(body: bytes, variant: Variant) -> list[Record]:
    text = unicodedata.normalize("NFC", body.decode("utf-8-sig" if variant.bom else variant.encoding))
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=variant.delimiter))


def xml_record(element: ET.Element) -> Record:
    record: Record = dict(element.attrib)
    for child in element:
        name, text = child.tag.removeprefix(NAMESPACE), unicodedata.normalize("NFC", child.text or "")
        if name == "thuaDat":
            record.setdefault(name, []).append(text)
        else:
            record[name] = text
    return record


def with_headers(request: requests.PreparedRequest, headers: dict[str, str]) -> requests.PreparedRequest:
    request.headers.update(headers)
    return request


def with_query(request: requests.PreparedRequest, name: str, value: str) -> requests.PreparedRequest:
    request.prepare_url(request.url, {name: value})
    return request


def hmac_headers(request: requests.PreparedRequest, key_id: str, secret: str) -> dict[str, str]:
    url, timestamp = urlsplit(request.url), str(int(time.time()))
    text = "\n".join([request.method, url.path, url.query, timestamp, hashlib.sha256(b"").hexdigest()])
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"X-Key-Id": key_id, "X-Timestamp": timestamp, "X-Signature": signature}


def with_plant(source: HostileSource, plant: str) -> tuple[HostileSource, PlainReader]:
    """Let something be wrong with a source, and give it with its reader."""
    source.plant(plant)
    return source, PlainReader(source)


def truth(source: HostileSource) -> list[Record]:
    """All living records as the source should send them."""
    return [as_sent(record, source.variant) for record in source.records()]


def by_key(records: list[Record]) -> list[Record]:
    """In the order of their keys."""
    return sorted(records, key=lambda record: record["maSo"])
