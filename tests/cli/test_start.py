"""What a command imports: as little as it needs, so that it starts at once."""

from __future__ import annotations

import ast
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from typer.testing import CliRunner

import oncehub
from oncehub.cli.app import COMMANDS, app, load_command

HEAVY = ("airflow", "duckdb", "fastapi", "numpy", "polars", "splink")

_RUN = f"""
import sys
from oncehub.cli import main
try:
    main()
except SystemExit:
    pass
print("imported:", *(name for name in {HEAVY} if name in sys.modules))
"""


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "audit verify",
        "client list",
        "connector list",
        "corrections --help",
        "link show tax registrations key",
        "status",
    ],
)
def test_a_command_imports_no_heavy_package_that_it_does_not_need(command: str, tmp_path: Path) -> None:
    # Nothing answers there: what a command imports, it has imported before it connects.
    environment = {
        "ONCEHUB_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "ONCEHUB_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *command.split()],
        env={**environment, "PYTHONPATH": str(Path(oncehub.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "imported:", done.stderr


def test_the_public_api_is_imported_on_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, oncehub; print(*sorted(sys.modules))"],
        env={"PYTHONPATH": str(Path(oncehub.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not [name for name in done.stdout.split() if name.startswith("oncehub.")]


def test_every_public_name_is_what_type_checkers_see() -> None:
    tree = ast.parse(Path(oncehub.__file__).read_text("utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    places = {
        each.asname or each.name: (node.module, each.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    assert places == oncehub._PLACES
    assert sorted([*places, "__version__"]) == sorted(oncehub.__all__)
    for name in oncehub.__all__:
        assert getattr(oncehub, name).__doc__


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sink'"):
        typing.cast(typing.Any, oncehub).sink  # noqa: B018 - reading it raises


@pytest.mark.parametrize("name", [name for name, place in COMMANDS.items() if place.function])
def test_the_list_of_commands_says_what_a_command_says_of_itself(name: str) -> None:
    assert load_command(name).help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name].help


def test_the_version_and_every_command_are_listed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"oncehub {oncehub.__version__}\n"
    listed = CliRunner().invoke(app, ["--help"]).stdout
    assert [name for name in COMMANDS if name not in listed] == []


def test_connectors_are_listed_with_streams_and_schedule(oncehub: typing.Any) -> None:
    shown = oncehub("connector", "list")
    assert (shown.returncode, "population" in shown.stdout, "0 1 * * *" in shown.stdout) == (0, True, True)
    assert '"streams": [\n      "accounts",\n      "dossiers",\n      "submissions"\n    ]' in (
        oncehub("connector", "list", "--json").stdout
    )
