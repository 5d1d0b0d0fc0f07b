"""The one part of reading a source that `connector.py` beside its `connector.yaml` may replace.

| `part:` | function in `connector.py` | replaces |
| --- | --- | --- |
| signer | `sign(request, connection)` | nothing: it adds to a request what `auth` cannot say |
| pager | `next_page(page)` | the way from page to page, of streams whose `pages` are of kind none |
| reader | `read(body, headers, connection)` | the parsing of an answer |

A part that finds its answer cut or unfit for now raises SourceUnavailable, and the request is tried again.
Another of the hub's errors ends the run as it is; anything else does as ContractBroken, without its text, for
that may quote what was read.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import requests

from oncehub.config.connection import Connection
from oncehub.config.connector import Connector
from oncehub.connect.formats import ReadPlugin
from oncehub.connect.http.failures import TryAgain
from oncehub.errors import ConfigError, ContractBroken, OncehubError, TransientError

FILE = "connector.py"

_FUNCTIONS = {"signer": ("sign", 2), "pager": ("next_page", 1), "reader": ("read", 3)}
"""By part, the name of its function and how many arguments it takes."""


@dataclass(frozen=True)
class PageView:
    """What a pager sees of the page before.

    Attributes:
        records: of the page, as the source sent them.
        content: its parsed body; None where the format holds records only.
        headers: of the answer.
        url: that was asked, without credentials.
        number: of the page, from 1.
        parameters: that the pager gave for this page; empty on the first.
    """

    records: list[Any] = field(repr=False)
    content: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    number: int
    parameters: Mapping[str, str] = field(repr=False)


Sign = Callable[[requests.PreparedRequest, Connection], None]
Pager = Callable[[PageView], Mapping[str, str] | None]
"""Gives the query parameters of the page after this one, None when it is the last."""


@dataclass(frozen=True)
class Plugins:
    """What a connector brings itself; each is None where the engine's own serves."""

    signer: Sign | None = None
    pager: Pager | None = None
    reader: Callable[[bytes, Mapping[str, str], Connection], Any] | None = None

    def reader_for(self, connection: Connection) -> ReadPlugin | None:
        """Return the reader as page readers call it; a cut answer becomes one to be tried again."""
        reader = self.reader
        if reader is None:
            return None

        def read(body: bytes, headers: Mapping[str, str]) -> Any:
            try:
                return reader(body, headers, connection)
            except TransientError as failure:
                raise TryAgain(str(failure)) from None

        return read


def load_plugin(connector: Connector) -> Plugins:
    """Load the part that a connector states.

    Raises:
        ConfigError: when `connector.py` and `part` do not fit each other: one is without the other, the file
            cannot be loaded, or it defines another function than its part's.
    """
    path = connector.path.parent / FILE
    part = connector.part
    if part is None:
        if path.is_file():
            place = connector.where("source")
            raise ConfigError(f"{place}: {FILE} lies beside; say what it replaces: part: pager|signer|reader")
        return Plugins()
    if not path.is_file():
        raise ConfigError(f"{connector.where('part')}: {FILE} is not there; write it, or remove part")
    name, arguments = _FUNCTIONS[part]
    function = _only_function(_loaded(path, connector.source), path, part, name, arguments)
    guarded = partial(_called, f"{connector.source}: its own {part}", function)
    match part:
        case "signer":
            return Plugins(signer=guarded)
        case "pager":
            return Plugins(pager=_checked_pager(connector.source, guarded))
        case "reader":
            return Plugins(reader=guarded)


class _FromSource(SourceLoader):
    """Compiles a file anew each time and leaves no bytecode among the configuration."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002
        return self._path.read_bytes()


def _loaded(path: Path, source: str) -> ModuleType:
    name = f"_oncehub_part_of_{source}"
    spec = spec_from_loader(name, _FromSource(path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - a file of somebody else's, which may fail in any way
        raise ConfigError(f"{path}: cannot be loaded: {type(error).__name__}") from None
    return module


def _only_function(
    module: ModuleType, path: Path, part: str, name: str, arguments: int
) -> Callable[..., Any]:
    public = [
        each
        for each, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and each[0] != "_"
    ]
    if public != [name]:
        raise ConfigError(
            f"{path}: part: {part} needs the function {name} and no other;"
            f" here {'is ' + ', '.join(public) if public else 'is none'}; begin the names of others with _"
        )
    function = cast(Callable[..., Any], getattr(module, name))
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        raise ConfigError(f"{path}: {name} must take {arguments} arguments") from None
    return function


def _called(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (OncehubError, TryAgain):
        raise
    except Exception as error:  # noqa: BLE001 - the text may quote records, so only the kind is told
        raise ContractBroken(f"{what} failed with {type(error).__name__}") from None


def _checked_pager(source: str, pager: Callable[[PageView], Any]) -> Pager:
    def next_page(page: PageView) -> Mapping[str, str] | None:
        query = pager(page)
        if query is None:
            return None
        if not isinstance(query, Mapping) or not all(
            isinstance(value, str | int) for value in query.values()
        ):
            raise ContractBroken(f"{source}: its own pager gave no query parameters")
        return {str(name): str(value) for name, value in query.items()}

    return next_page
