"""The transforms that a mapping may name: those of the hub, and those of `mappings/transforms.py`."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from oncehub.config.mapping import Transform as Written
from oncehub.errors import ConfigError
from oncehub.normalize.transforms import contacts, dates, encodings, identifiers, letters
from oncehub.normalize.transforms.transform import Change, Transform, TransformEntry

Known = dict[str, Transform[...]]


def _declared(module: ModuleType) -> Known:
    """The transforms that a module declares itself, by name."""
    found = [thing for thing in vars(module).values() if isinstance(thing, Transform)]
    return {each.name: each for each in found if each.function.__module__ == module.__name__}


TRANSFORMS: Final[Known] = {
    name: each
    for module in (letters, encodings, dates, identifiers, contacts)
    for name, each in _declared(module).items()
}
"""The hub's own transforms by name."""


class Transforms:
    """The transforms that the mappings of a folder may name: the hub's, and those of its `transforms.py`.

    Raises:
        ConfigError: when that file cannot be read, or uses the name of one of the hub's own transforms.
    """

    def __init__(self, mappings: Path | None = None) -> None:
        self._known = {**TRANSFORMS, **(_added(mappings / "transforms.py") if mappings else {})}

    def named(self, written: Written) -> tuple[str, Change, bool]:
        """Return the name, the change and `null_is_meant` of a transform as a mapping writes it.

        Raises:
            ValueError: when the name is unknown or the arguments do not fit; says what to write instead.
        """
        name, arguments = _parted(written)
        if name not in self._known:
            close = difflib.get_close_matches(name, self._known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"choose of {', '.join(sorted(self._known))}"
            raise ValueError(f"no transform is called {name!r}; {advice}")
        chosen = self._known[name]
        try:
            return name, chosen.with_arguments(arguments), chosen.null_is_meant
        except ValueError as fault:
            raise ValueError(f"transform {name}: {fault}") from None

    def catalogue(self) -> list[TransformEntry]:
        """Describe every transform, sorted by name."""
        return [self._known[name].entry() for name in sorted(self._known)]


def catalogue(mappings: Path | None = None) -> list[TransformEntry]:
    """Describe the transforms that the mappings of a folder may name; see `Transforms`."""
    return Transforms(mappings).catalogue()


def named(written: Written) -> tuple[str, Change, bool]:
    """Return one of the hub's own transforms; see `Transforms.named`."""
    return Transforms().named(written)


def _added(path: Path) -> Known:
    """The transforms that an installation declares for itself."""
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location("oncehub_added_transforms", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.offset}: is not valid Python: {error.msg}") from None
    except ImportError as error:
        raise ConfigError(f"{path}:1:1: cannot import {error.name}; install it or do without") from None
    added = _declared(module)
    if taken := sorted(added.keys() & TRANSFORMS.keys()):
        raise ConfigError(f"{path}:1:1: {taken[0]} is the name of a transform of the hub; choose another")
    return added


def _parted(written: Written) -> tuple[str, tuple[Any, ...]]:
    if isinstance(written, str):
        return written, ()
    if len(written) != 1:
        raise ValueError("write one transform an item: name, or {name: arguments}")
    ((name, arguments),) = written.items()
    return name, tuple(arguments) if isinstance(arguments, list) else (arguments,)
