"""The file of a recorded source: `connectors/<source>/cassette.json.gz`."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from oncehub.config.access import NoAuth
from oncehub.config.connector import Connector
from oncehub.conformance.recorder import Interactions, RecordedResponse, RequestKey
from oncehub.conformance.subject import Options
from oncehub.connect.formats.unpacking import unzipped
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ConfigError, ContractBroken
from oncehub.files import read_bounded, write_whole

_FORM = 1
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Cassette:
    """A redacted recording.

    Attributes:
        recorded_at: the present of all its requests.
        options: with which the suite made them.
        interactions: every request and its answer.
    """

    recorded_at: datetime
    options: Options
    interactions: Interactions

    def save(self, path: Path) -> None:
        """Write it; the same recording gives the same bytes."""
        document = {
            "form": _FORM,
            "recorded_at": self.recorded_at.isoformat(),
            "options": asdict(self.options),
            "answers": list(_written(self.interactions)),
        }
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        write_whole(path, gzip.compress(text, mtime=0))

    @classmethod
    def load(cls, path: Path) -> Cassette:
        """Read one.

        Raises:
            ConfigError: when there is none, or it cannot be read.
        """
        if not path.exists():
            raise ConfigError(
                f"{path} is not there; record the source with: oncehub connector test NAME --record"
            )
        packed = read_bounded(path, _MOST_BYTES)
        try:
            document = orjson.loads(unzipped(packed, _MOST_BYTES, str(path)))
            if document["form"] != _FORM:
                raise ConfigError(f"{path} is of another version; make it again with --record")
            interactions = Interactions()
            for each in document["answers"]:
                asked, answer = _read(each)
                interactions.keep(asked, answer)
            recorded_at = datetime.fromisoformat(document["recorded_at"])
            return cls(recorded_at, Options(**document["options"]), interactions)
        except (TryAgain, ContractBroken, KeyError, TypeError, ValueError):
            raise ConfigError(f"{path} is no recording; make it again with --record") from None


def cassette_path(connector: Connector) -> Path:
    """Where a connector's recording lies."""
    return connector.path.parent / "cassette.json.gz"


def recorded_connector(connector: Connector) -> Connector:
    """The connector as it reads a recording: no credentials, and answers as its own reader gave them."""
    changed: dict[str, Any] = {"auth": NoAuth(kind="none")}
    if "paginator" in connector.plugins:
        if len(connector.plugins) > 1:
            place = connector.where("plugin")
            raise ConfigError(
                f"{place}: a paginator beside other parts cannot be recorded; test the source itself"
            )
        return connector.model_copy(update=changed)
    recorded = connector.model_copy(update=changed | {"plugin": None})
    # Beside the file that it names lies no connector.py, which would have to be stated.
    recorded._path = connector.path.parent / "recorded" / connector.path.name
    return recorded


def _written(interactions: Interactions) -> Iterable[dict[str, Any]]:
    for asked in sorted(interactions.answers, key=lambda asked: (asked.path, asked.query)):
        answer = interactions.answers[asked]
        try:
            body = {"text": answer.body.decode()}
        except UnicodeDecodeError:
            body = {"base64": base64.b64encode(answer.body).decode()}
        yield {
            "method": asked.method,
            "path": asked.path,
            "query": asked.query,
            "headers": dict(answer.headers),
            **body,
        }


def _read(each: dict[str, Any]) -> tuple[RequestKey, RecordedResponse]:
    body = each["text"].encode() if "text" in each else base64.b64decode(each["base64"])
    query = tuple((name, value) for name, value in each["query"])
    return RequestKey(each["method"], each["path"], query), RecordedResponse(200, each["headers"], body)
