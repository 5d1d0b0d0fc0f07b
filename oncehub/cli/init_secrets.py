"""`oncehub init-secrets`: makes the file `.env` of an installation with containers."""

from __future__ import annotations

import base64
import re
import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from oncehub.encryption.secrets import KEY_BYTES, encode_key
from oncehub.errors import ConfigError
from oncehub.files import read_bounded, write_whole
from oncehub.settings import load_settings

_TEMPLATE: Final = ".env.example"
_PROFILES: Final = "COMPOSE_PROFILES"
_COMPOSE_FILES: Final = "COMPOSE_FILE"
_LINE: Final = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


class Profile(StrEnum):
    """Which services an installation has besides the hub's own."""

    SIMULATED = "simulated"
    REAL = "real"


class Executor(StrEnum):
    """What runs the tasks."""

    LOCAL = "local"
    CELERY = "celery"


_HUB: Final = "docker-compose.yml"
_WORKERS: Final = "docker-compose.workers.yml"
_SIMULATED: Final = "docker-compose.simulated.yml"


def init_secrets(
    file: Annotated[
        str, typer.Argument(help="To make or complete; - reads stdin and writes stdout.")
    ] = ".env",
    profile: Annotated[
        Profile | None, typer.Option(help="With simulated systems, or real: without them.")
    ] = None,
    executor: Annotated[
        Executor | None, typer.Option(help="Tasks run in the scheduler, or in workers (docs/scaling.md).")
    ] = None,
) -> None:
    """Make the file .env for docker compose, with random passwords and keys.

    A value that the file has stays as it is; what it lacks, or has empty, is drawn. Passwords have characters
    only that need no encoding in a URL.
    """
    template = read_bounded(load_settings().root / _TEMPLATE).decode()
    if file == "-":
        sys.stdout.write(completed(sys.stdin.read(), template, profile, executor))
        return
    path = Path(file)
    present = read_bounded(path).decode() if path.exists() else ""
    try:
        write_whole(path, completed(present, template, profile, executor).encode(), mode=0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    sys.stderr.write(f"{path}: {'completed' if present else 'made'}; keep a copy apart from the database's\n")


def completed(
    present: str, template: str, profile: Profile | None = None, executor: Executor | None = None
) -> str:
    """Return the text of `.env`: what is present, and values drawn for what it lacks of the template."""
    text = present if present.strip() else template
    missing = dict(_LINE.findall(template)).keys() - dict(_LINE.findall(text)).keys()
    added = [line[0] for line in _LINE.finditer(template) if line[1] in missing]
    text = "\n".join([text.rstrip("\n"), *added]) + "\n"
    if profile:
        text = re.sub(rf"^{_PROFILES}=.*$", f"{_PROFILES}={profile}", text, flags=re.MULTILINE)
    text = _with_files(text, executor)
    return _LINE.sub(lambda line: line[0] if line[2].strip() else f"{line[1]}={_drawn(line[1])}", text)


def _with_files(text: str, executor: Executor | None) -> str:
    """Name the compose files that the profile and the executor need, and keep others that are named.

    Where the hub's own is all, none is named: compose then also takes a `docker-compose.override.yml`.
    """
    values = dict(_LINE.findall(text))
    named = [file for file in values[_COMPOSE_FILES].strip().split(":") if file] or [_HUB]
    wanted = {
        _WORKERS: executor is Executor.CELERY if executor else _WORKERS in named,
        _SIMULATED: Profile.SIMULATED in values[_PROFILES].strip().split(","),
    }
    files = [_HUB, *(file for file, is_wanted in wanted.items() if is_wanted)]
    files += [file for file in named if file not in (_HUB, *wanted)]
    line = f"{_COMPOSE_FILES}={':'.join(files)}\n" if files != [_HUB] else ""
    return re.sub(rf"^{_COMPOSE_FILES}=.*\n", line, text, flags=re.MULTILINE)


def _drawn(name: str) -> str:
    if name.startswith("ONCEHUB_KEY_"):
        return encode_key(secrets.token_bytes(KEY_BYTES)).decode()
    if name.endswith("_FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return secrets.token_urlsafe(24)
