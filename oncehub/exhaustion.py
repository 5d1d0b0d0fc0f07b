"""What the process may still use of memory, and what to say when memory, disk, open files or threads end."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from oncehub.errors import ResourcesExhausted

_MB: Final = 2**20

# Measured when a sync has its modules and threads: 1,080 MB of addresses, 140 MB of data, 110 MB resident.
_LEAST_ADDRESSES: Final = 1200 * _MB
_LEAST_DATA: Final = 320 * _MB
_LEAST_RESIDENT: Final = 256 * _MB
_LEAST_FILES: Final = 32

# Each thread reserves its stack and an arena.
_ADDRESSES_A_PROCESSOR, _DATA_A_PROCESSOR = 64 * _MB, 16 * _MB

_MEMORY: Final = (
    "memory has ended: {limit}; give the process more, and run the same command again: nothing is lost"
)
_DISK: Final = "{place}: {reason}; free space there, and run the same command again: nothing is lost"
_FILES: Final = (
    "the process may not open more files ({files} at most, `ulimit -n`); raise the limit, and run the same "
    "command again: nothing is lost"
)
_THREADS: Final = (
    "the process may not start more threads: memory or the number of threads is limited (`ulimit -v`, "
    "`ulimit -u`); raise the limit, and run the same command again: nothing is lost"
)

_NO_MEMORY: Final = ["out of memory", "cannot allocate memory", "failed to map segment", "bad allocation"]


def remedy(error: BaseException) -> str | None:
    """Return what to do, if an error says that memory, disk, open files or threads have ended."""
    text = str(error).lower()
    if isinstance(error, OSError):
        return _remedy_of_system(error)
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return _THREADS
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY):
        return _MEMORY.format(limit=_limits())
    return None


def _remedy_of_system(error: OSError) -> str | None:
    match error.errno:
        case errno.ENOMEM:
            return _MEMORY.format(limit=_limits())
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return _DISK.format(place=error.filename or "the disk", reason=os.strerror(error.errno).lower())
        case errno.EMFILE | errno.ENFILE:
            return _FILES.format(files=resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        case errno.EAGAIN if isinstance(error, BlockingIOError):
            return _THREADS
    return None


def require_least() -> None:
    """Refuse to begin where the limits of the process do not hold what the hub needs before any record.

    Libraries that lack memory or files while they are loaded end the process without a word.

    Raises:
        ResourcesExhausted: with the limit, and what is needed.
    """
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] < _LEAST_FILES:
        raise ResourcesExhausted(_FILES.format(files=resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    processors = os.cpu_count() or 1
    least = {
        resource.RLIMIT_AS: _LEAST_ADDRESSES + processors * _ADDRESSES_A_PROCESSOR,
        resource.RLIMIT_DATA: _LEAST_DATA + processors * _DATA_A_PROCESSOR,
    }
    for limit, needed in least.items():
        _require(resource.getrlimit(limit)[0], needed, _NAMES[limit])
    for folder in _control_groups():
        if (most := _number(folder / "memory.max")) is not None:
            _require(most, _LEAST_RESIDENT, "the memory of its container (memory.max)")


def require_memory(needed: int, doing: str) -> None:
    """Refuse to begin what needs more memory than is left.

    Args:
        needed: bytes, resident; half as much again of addresses.
        doing: begins the message: `landing tax.citizens`.

    Raises:
        ResourcesExhausted: with how much is needed and left, and by which limit.
    """
    for left, what in _left():
        of_addresses = what in _NAMES.values()
        wanted = needed * 3 // 2 if of_addresses else needed
        if left < wanted:
            raise ResourcesExhausted(
                f"{doing}: needs about {-(-wanted // _MB)} MB, and {max(left, 0) // _MB} MB are left of "
                f"{what}; give the process more, or let the source send smaller pages (pages.size, "
                "limits.page_bytes), and run the same command again: nothing is lost"
            )


def require_room(addresses: int, data: int, doing: str) -> None:
    """Refuse to begin what reserves more than the limits of the process leave, whether it uses it or not.

    Args:
        addresses: bytes of addresses.
        data: bytes of data.
        doing: begins the message.

    Raises:
        ResourcesExhausted: with how much is needed and left, and by which limit.
    """
    needed = {_NAMES[resource.RLIMIT_AS]: addresses, _NAMES[resource.RLIMIT_DATA]: data}
    for left, what in _left():
        if left < needed.get(what, 0):
            raise ResourcesExhausted(
                f"{doing}: needs about {needed[what] // _MB} MB, and {max(left, 0) // _MB} MB are left of "
                f"{what}; raise the limit, and run the same command again: nothing is lost"
            )


def leaves_addresses(needed: int) -> bool:
    """Tell whether the limits of the process leave so many bytes of addresses, used or not."""
    return all(left >= needed for left, what in _left() if what in _NAMES.values())


_NAMES: Final = {
    resource.RLIMIT_AS: "its addresses (`ulimit -v`)",
    resource.RLIMIT_DATA: "its data (`ulimit -d`)",
}


def _require(limit: int, needed: int, what: str) -> None:
    if limit not in (resource.RLIM_INFINITY, -1) and limit < needed:
        raise ResourcesExhausted(
            f"the process is limited to {limit // _MB} MB of {what}, and the hub needs {needed // _MB} MB "
            "before it reads any record; raise the limit"
        )


def _left() -> Iterator[tuple[int, str]]:
    """Yield how many bytes each limit leaves, and its name; nothing where the system does not tell."""
    used = _table(Path("/proc/self/status"))
    for limit, measure in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY and measure in used:
            yield most - used[measure], _NAMES[limit]
    for folder in _control_groups():
        bound, current = _number(folder / "memory.max"), _number(folder / "memory.current")
        if bound is not None and current is not None:
            cached = _table(folder / "memory.stat").get("inactive_file", 0)
            yield bound - current + cached, "the memory of its container (memory.max)"
    if (available := _table(Path("/proc/meminfo")).get("MemAvailable")) is not None:
        yield available, "the machine's memory"


def _limits() -> str:
    """Say which limits the process has."""
    return "; ".join(f"{left // _MB} MB are left of {what}" for left, what in _left()) or "no limit is known"


def _control_groups() -> Iterator[Path]:
    """Yield the folders of the process's control group and those above it (cgroup v2)."""
    try:
        line = Path("/proc/self/cgroup").read_text("utf-8").splitlines()[-1]
    except (OSError, IndexError):
        return
    root = Path("/sys/fs/cgroup")
    folder = root / line.rpartition(":")[2].lstrip("/")
    while folder != root:
        yield folder
        folder = folder.parent
    yield root


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    """Return the numbers of a file of the system in bytes, by their names."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return {}
    found = {}
    for words in (line.replace(":", " ").split() for line in lines):
        if len(words) > 1 and words[1].isdigit():
            found[words[0]] = int(words[1]) * (1024 if words[-1] == "kB" else 1)
    return found
