"""Plugins: the one step of reading a source that `connector.py` beside its `connector.yaml` may replace.

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
from collections.abc import Callable, Mapping
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
    """Load the plugin that a connector names.

    Raises:
        ConfigError: when `connector.py` and `plugin` do not fit each other: one is without the other, the
            file cannot be loaded, or it defines another function than its plugin's.
    """
    path = connector.path.parent / FILE
    plugin = connector.plugin
    if plugin is None:
        if path.is_file():
            place = connector.where("source")
            raise ConfigError(
                f"{place}: {FILE} lies beside; say what it replaces: plugin: paginator|signer|reader"
            )
        return Plugins()
    if not path.is_file():
        raise ConfigError(f"{connector.where('plugin')}: {FILE} is not there; write it, or remove plugin")
    name, arguments = _FUNCTIONS[plugin]
    function = _only_function(_loaded(path, connector.source), path, plugin, name, arguments)
    guarded = partial(_called, f"{connector.source}: its own {plugin}", function)
    match plugin:
        case "signer":
            return Plugins(sign=guarded)
        case "paginator":
            return Plugins(next_page=partial(_checked_next_page, connector.source, guarded))
        case "reader":
            return Plugins(reader=guarded)


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


def _only_function(
    module: ModuleType, path: Path, plugin: str, name: str, arguments: int
) -> Callable[..., Any]:
    public = [
        each
        for each, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and each[0] != "_"
    ]
    if public != [name]:
        raise ConfigError(
            f"{path}: plugin: {plugin} needs the function {name} and no other;"
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
