"""Plugins: the steps of reading a source that `connector.py` beside its `connector.yaml` may replace.

| `plugin:` | function in `connector.py` | replaces |
| --- | --- | --- |
| signer | `sign(request, connection)` | nothing: it adds to a request what `auth` cannot express |
| paginator | `next_page(page)` | the way from page to page, of streams whose `pages` are of kind none |
| reader | `read(body, headers, connection)` | the parsing of a response |

A plugin that finds a response cut, or unusable for now, raises SourceUnavailable, and the request is tried
again. Another of the hub's errors ends the run as it is; any other exception ends it as ContractBroken,
without its text, which may quote records.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
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

_FUNCTIONS = {"signer": ("sign", 2), "paginator": ("next_page", 1), "reader": ("read", 3)}
"""By kind of plugin, the name of its function and how many arguments it takes."""


@dataclass(frozen=True)
class PageView:
    """The page before, as a paginator of the connector sees it.

    Attributes:
        records: of the page, as the source sent them.
        content: its parsed body; None where the format holds records only.
        headers: of the response.
        url: that was requested, without credentials.
        number: of the page, from 1.
        parameters: that the paginator gave for this page; empty on the first.
    """

    records: list[Any] = field(repr=False)
    content: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    number: int
    parameters: Mapping[str, str] = field(repr=False)


Sign = Callable[[requests.PreparedRequest, Connection], None]
NextPage = Callable[[PageView], Mapping[str, str] | None]
"""Gives the query parameters of the page after this one, None when it is the last."""


@dataclass(frozen=True)
class Plugins:
    """A connector's own functions; None where the engine's serves."""

    sign: Sign | None = None
    next_page: NextPage | None = None
    reader: Callable[[bytes, Mapping[str, str], Connection], Any] | None = None

    def reader_for(self, connection: Connection) -> ReadPlugin | None:
        """Return the reader as page readers call it; a response that it finds cut is tried again."""
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
    """Load the plugins that a connector names.

    Raises:
        ConfigError: when `connector.py` and `plugin` do not fit each other: one is without the other, the
            file cannot be loaded, or it defines other functions than its plugins'.
    """
    path = connector.path.parent / FILE
    if not connector.plugins:
        if path.is_file():
            place = connector.where("source")
            raise ConfigError(
                f"{place}: {FILE} lies beside; say what it replaces: plugin: paginator|signer|reader"
            )
        return Plugins()
    if not path.is_file():
        raise ConfigError(f"{connector.where('plugin')}: {FILE} is not there; write it, or remove plugin")
    functions = _functions(_loaded(path, connector.source), path, connector.plugins)
    guarded = {
        plugin: partial(_called, f"{connector.source}: its own {plugin}", function)
        for plugin, function in functions.items()
    }
    pager = guarded.get("paginator")
    return Plugins(
        sign=guarded.get("signer"),
        next_page=None if pager is None else partial(_checked_next_page, connector.source, pager),
        reader=guarded.get("reader"),
    )


def _loaded(path: Path, source: str) -> ModuleType:
    """Run a file as a module of its own, compiled anew each time: no bytecode among the configuration."""
    module = ModuleType(f"_oncehub_plugin_of_{source}")
    module.__file__ = str(path)
    # Dataclasses look their module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))  # noqa: S102 - the connector's own code
    except Exception as error:  # noqa: BLE001 - the connector's own code may fail in any way
        raise ConfigError(f"{path}: cannot be loaded: {type(error).__name__}") from None
    return module


def _functions(module: ModuleType, path: Path, plugins: Collection[str]) -> dict[str, Callable[..., Any]]:
    """Return the functions of a file, by kind of plugin; it has those of the plugins named, and no others."""
    wanted = {plugin: _FUNCTIONS[plugin] for plugin in plugins}
    public = [
        each
        for each, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and each[0] != "_"
    ]
    names = [name for name, _ in wanted.values()]
    if sorted(public) != sorted(names):
        raise ConfigError(
            f"{path}: plugin: {', '.join(wanted)} needs the function {' and '.join(names)} and no other;"
            f" here {'is ' + ', '.join(public) if public else 'is none'}; begin the names of others with _"
        )
    functions = {
        plugin: cast(Callable[..., Any], getattr(module, name)) for plugin, (name, _) in wanted.items()
    }
    for plugin, (name, arguments) in wanted.items():
        try:
            inspect.signature(functions[plugin]).bind(*range(arguments))
        except TypeError:
            raise ConfigError(f"{path}: {name} must take {arguments} arguments") from None
    return functions


def _called(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (OncehubError, TryAgain):
        raise
    except Exception as error:  # noqa: BLE001 - its text may quote records, so only its type is reported
        raise ContractBroken(f"{what} failed with {type(error).__name__}") from None


def _checked_next_page(
    source: str, next_page: Callable[[PageView], Any], page: PageView
) -> Mapping[str, str] | None:
    query = next_page(page)
    if query is None:
        return None
    if not isinstance(query, Mapping) or not all(isinstance(value, str | int) for value in query.values()):
        raise ContractBroken(f"{source}: its own paginator gave no query parameters")
    return {str(name): str(value) for name, value in query.items()}
