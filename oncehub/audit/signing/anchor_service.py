"""Keeps the anchors in a process of its own, whose callers may append to them and change nothing.

An attacker with the hub's keys and its database can write another history. This process runs where they have
nothing, and refuses what contradicts an anchor.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import orjson

from oncehub.audit.signing.anchors import TOKEN, append_lines, note_anchor, read_anchors, whole_lines
from oncehub.audit.tlog.answering import Answer, Request, answering
from oncehub.audit.tlog.notes import VerifierKey, read_checkpoint
from oncehub.errors import ConfigError
from oncehub.settings import secret

ADOPTION_TOKEN: Final = "ONCEHUB_AUDIT_ADOPTION_TOKEN"  # noqa: S105 - its name

_MOST_BYTES: Final = 64_000_000
"""Of one request: half a million anchors."""

_SHORTEST_TOKEN: Final = 16


@contextmanager
def keep_anchors(file: Path, host: str, port: int, logs: Sequence[VerifierKey] = ()) -> Iterator[str]:
    """Answer `GET` and `POST` of the anchors in `file` from threads of this process; give the URL.

    Args:
        file: of the anchors.
        host: address at which it answers.
        port: at which it answers; 0 for a free one.
        logs: keys of the log, one of which must have signed each checkpoint; without them, that is
            not asked for, and a token alone is enough.

    Raises:
        ConfigError: when a token is missing, the file holds what is no anchor, or the port cannot be used.
    """
    read_anchors(file)
    keeper = _Keeper(file, _token(TOKEN), _token(ADOPTION_TOKEN), [each.public for each in logs])
    with answering(keeper.answer, host, port) as url:
        yield url


class _Keeper:
    """The file, and who may append what to it."""

    def __init__(self, file: Path, token: str, adoption_token: str, logs: Sequence[bytes]) -> None:
        self._file = file
        self._logs = logs
        self._append = token
        self._adopt = adoption_token
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Answer `GET` with all lines; append those of `POST`: all, on disk when this answers, or none."""
        given = request.authorization
        if not self._is(given, self._append) and not self._is(given, self._adopt):
            return Answer(HTTPStatus.UNAUTHORIZED, f"give the token {TOKEN}")
        try:
            if request.method == "GET":
                with self._lock:
                    return Answer(
                        HTTPStatus.OK, "".join(f"{line.decode()}\n" for line in whole_lines(self._file))
                    )
            self.append(given, request.read(_MOST_BYTES))
        except PermissionError as error:
            return Answer(HTTPStatus.FORBIDDEN, str(error))
        except (ValueError, TypeError, KeyError) as error:
            return Answer(HTTPStatus.CONFLICT, f"not appended: {error}")
        except ConfigError as error:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return Answer(HTTPStatus.NO_CONTENT)

    def append(self, given: str, lines: bytes) -> None:
        """Append lines that are anchors and contradict none.

        Raises:
            PermissionError: when one is an adoption, and the token does not allow it.
            ValueError, TypeError, KeyError: when one is no anchor, or contradicts another.
            ConfigError: when the file cannot be read or written.
        """
        if not lines.endswith(b"\n"):
            raise ValueError("the last line has no end")
        with self._lock:
            anchors = read_anchors(self._file)
            for line in lines.splitlines():
                content = orjson.loads(line)
                if "adopted" in content and not self._is(given, self._adopt):
                    raise PermissionError(f"an adoption needs the token {ADOPTION_TOKEN}")
                last = max(anchors.heads, default=0)
                if "note" in content and content["checkpoint"] > last + 1:
                    raise ValueError(f"checkpoint {content['checkpoint']} leaves out those before it")
                if "exported" in content and content["checkpoint"] > last:
                    raise ValueError(f"checkpoint {content['checkpoint']} is exported and was never anchored")
                if "note" in content and self._logs:
                    # With a stolen token alone, one of no log would keep the log's own next one out.
                    read_checkpoint(str(content["note"]), self._logs)
                note_anchor(anchors, content)
            append_lines(self._file, lines)

    @staticmethod
    def _is(given: str, token: str) -> bool:
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _token(name: str) -> str:
    given = secret(name) or ""
    if len(given) < _SHORTEST_TOKEN:
        raise ConfigError(f"{name} must have {_SHORTEST_TOKEN} characters or more; who holds it may append")
    return given
