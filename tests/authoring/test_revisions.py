"""Older files come from git by the name of a revision, and by nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from oncehub.authoring.difference import at_revision
from oncehub.errors import ConfigError
from oncehub.settings import Settings


@pytest.fixture
def versioned(tmp_path: Path) -> Settings:
    """A repository of one commit."""
    root = tmp_path / "root"
    for folder in ("connectors", "mappings", "schemas"):
        (root / folder).mkdir(parents=True)
        (root / folder / "kept.yaml").write_text("a: 1\n")
    author = ["-c", "user.name=t", "-c", "user.email=t@t.example"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "begin"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return Settings(root=root, home=tmp_path / "home", database_url="")


def test_a_revision_gives_the_files_as_they_stood(versioned: Settings) -> None:
    (versioned.mappings / "kept.yaml").write_text("a: 2\n")
    with at_revision(versioned, "HEAD") as before:
        assert (before.mappings / "kept.yaml").read_text() == "a: 1\n"


def test_an_option_of_git_in_the_place_of_a_revision_touches_no_file(
    versioned: Settings, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with pytest.raises(ConfigError, match="names no revision"), at_revision(versioned, f"--output={victim}"):
        pass
    assert victim.read_text() == "precious"
