"""The customs' nightly export, a full snapshot: a manifest with checksums, gzip CSV in Windows-1258."""

import gzip
import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stubs.servers.hosted_world import HostedWorld
from stubs.servers.protocol.parameters import VIETNAM, Query
from stubs.servers.protocol.refusals import Refusal, json_answer, unauthorised
from stubs.servers.protocol.windows1258 import encode_windows_1258

_LARGEST_FILE = 5000
_SMALLEST_FILE = 200


@dataclass(frozen=True)
class ExportFile:
    """One gzip CSV file of a night's export."""

    name: str
    content: bytes
    rows: int

    def entry(self) -> dict[str, object]:
        """Its line in the manifest."""
        checksum = hashlib.sha256(self.content).hexdigest()
        return {"name": self.name, "sha256": checksum, "bytes": len(self.content), "rows": self.rows}


class CustomsServer:
    """The file server; a night's files are made when first asked for and kept until the world moves."""

    def __init__(self, world: HostedWorld, api_key: str) -> None:
        self._world = world
        self._api_key = api_key
        self._lock = Lock()
        self._exported: tuple[int, dict[str, ExportFile]] | None = None

    def routes(self) -> list[Route]:
        """The manifest and the files."""
        return [
            Route("/exports/manifest.json", self.manifest, methods=["GET"]),
            Route("/exports/{name}", self.file, methods=["GET"]),
        ]

    def manifest(self, request: Request) -> Response:
        """The night and its files."""
        self._check(request)
        with self._world.reading():
            night = export_night(self._world.now)
            files = self._files()
        return json_answer({"ngay": night.isoformat(), "files": [file.entry() for file in files.values()]})

    def file(self, request: Request) -> Response:
        """One file of the present night; those of earlier nights are gone."""
        self._check(request)
        with self._world.reading():
            file = self._files().get(request.path_params["name"])
        if file is None:
            raise Refusal(404, {"error": "not_found", "message": "no such file in the present export"})
        return Response(file.content, media_type="application/gzip")

    def _check(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("X-API-Key", "").encode(), self._api_key.encode()):
            raise unauthorised("invalid_key", "a valid X-API-Key is required")
        Query(request)

    def _files(self) -> dict[str, ExportFile]:
        with self._lock:
            if self._exported is None or self._exported[0] != self._world.generation:
                snapshot = self._world.stream("customs", "declarants").live()
                self._exported = self._world.generation, export_files(snapshot, export_night(self._world.now))
            return self._exported[1]


def export_night(now: datetime) -> date:
    """The Vietnamese day whose end the export shows; at midnight sharp, the day just over."""
    return (now.astimezone(VIETNAM) - timedelta(microseconds=1)).date()


def export_files(snapshot: pl.DataFrame, night: date) -> dict[str, ExportFile]:
    """The snapshot's files by name, of at most 5,000 rows, and several even for a small world."""
    size = max(_SMALLEST_FILE, min(_LARGEST_FILE, snapshot.height // 3))
    files = {}
    for number, rows in enumerate(snapshot.iter_slices(size), start=1):
        name = f"declarants-{night:%Y%m%d}-{number:02d}.csv.gz"
        files[name] = ExportFile(name, gzip.compress(csv_bytes(rows), mtime=0), rows.height)
    return files


def csv_bytes(rows: pl.DataFrame) -> bytes:
    """A header and the rows as `;`-separated CSV with CRLF in Windows-1258."""
    wire = rows.select(pl.exclude("^_.*$"))
    text = wire.write_csv(separator=";", line_terminator="\r\n", null_value="")
    return encode_windows_1258(text)
