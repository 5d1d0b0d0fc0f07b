"""What a command reads may be made to grow without bound: it is refused in bounded time and memory."""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_MEMORY = 3 * 1024**3
"""Address space of a command: what its libraries reserve, and little more."""

ALIASES = "a: &a [x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n" for before, after in pairwise("abcdefghi")
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of its own, whose mappings and connectors may be spoilt."""
    for folder in ("connectors", "mappings", "schemas"):
        subprocess.run(["cp", "-r", str(ROOT / folder), str(tmp_path / folder)], check=True)
    return tmp_path


def bounded(*command: str, root: Path, status: int) -> subprocess.CompletedProcess[str]:
    """Run a command within bounds of memory and time."""
    variables = {"ONCEHUB_ROOT": str(root), "ONCEHUB_HOME": str(root / "var"), "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def oncehub(root: Path) -> Callable[..., str]:
    """Runs a command that must fail with a line a fault."""
    command = str(Path(sys.executable).parent / "oncehub")
    return lambda *arguments: bounded(command, *arguments, root=root, status=2).stderr


READING = """
import sys
from pathlib import Path
from oncehub.errors import ConfigError
from {module} import {name}
for path in sys.argv[1:]:
    try:
        {name}(Path(path))
        print("read:", path)
    except ConfigError as error:
        print(error)
"""


def check_refused(function: str, files: dict[str, tuple[bytes, str]], root: Path) -> None:
    """Read files in one process, each of which must be refused with one line."""
    module, _, name = function.rpartition(".")
    for file, (content, _) in files.items():
        (root / file).write_bytes(content)
    script = READING.format(module=module, name=name)
    paths = [str(root / file) for file in files]
    said = bounded(sys.executable, "-c", script, *paths, root=root, status=0).stdout.splitlines()
    for line, (file, (_, complaint)) in zip(said, files.items(), strict=True):
        assert line.startswith(str(root / file)), line
        assert complaint in line


DOCUMENTS = [
    (ALIASES, ":1:4: &a is an anchor; remove it"),
    ("a: 1\nb: *a\n", "2:4"),
    ("a: 1\n<<: {b: 2}\n", "2:1: << merges another mapping"),
    (
        "a: !!python/object/apply:os.system [ls]\n",
        "1:4: tag:yaml.org,2002:python/object/apply:os.system is a tag",
    ),
    ("a: 1\n---\nb: 2\n", "2:1: a second document begins; keep one in a file"),
    ("a: 1\nb: 2\na: 3\n", "3:1: key 'a' is repeated; keep one"),
    ("a: " + "[" * 900 + "]" * 900, "1:63: nests deeper than 60 levels"),
    ("a: " + "[" * 100_000, "nests deeper than 60 levels"),
    ("a: 2024-13-99\n", "1:4: is not valid YAML: it looks like a date or a number"),
    (f"a: {'9' * 5000}\n", "1:4: is not valid YAML: it looks like a date or a number"),
    ("a: \x00\n", "is not valid YAML"),
    ("? [a, b]\n: 1\n", "1:3: is not valid YAML: found unhashable key"),
    ("a: " + "x" * 3_000_000, "is larger than 2000000 bytes"),
]


def test_configuration_is_bounded(root: Path, oncehub: Callable[..., str]) -> None:
    files = {
        f"{number}.yaml": (text.encode(), complaint) for number, (text, complaint) in enumerate(DOCUMENTS)
    }
    check_refused("oncehub.config.documents.read_yaml", files, root)
    (root / "mappings/rules/matching.yaml").write_text(ALIASES, "utf-8")
    assert "rules/matching.yaml:1:4: &a is an anchor; remove it" in oncehub("check")


def fan(levels: int, width: int, refer: str) -> dict[str, Any]:
    """Schemas of which each refers to the next several times."""
    return {
        f"S{level}": {
            "type": "object",
            "properties": {f"p{number}": {"$ref": f"{refer}S{level + 1}"} for number in range(width)},
        }
        for level in range(levels)
    } | {f"S{levels}": {"type": "string"}}


CONTRACTS = [
    ({"$defs": fan(30, 10, "#/$defs/"), "properties": {"a": {"$ref": "#/$defs/S0"}}}, "more than 50000"),
    (
        {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}},
        "its $ref leads back to itself",
    ),
    ({"properties": {"a": {"$ref": "http://127.0.0.1:1/x.json"}}}, "has no target"),
    ({"properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "cannot be used to check records"),
    ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
    (orjson.loads('{"not":' * 200 + "{}" + "}" * 200), "nests deeper than 60 levels"),
    ([], "is no JSON object"),
]


def test_contracts_are_bounded(root: Path, oncehub: Callable[..., str]) -> None:
    plain = orjson.loads((ROOT / "schemas/sources/tax/registrations.json").read_bytes())
    files = {
        f"{number}.json": (orjson.dumps(plain | changed if isinstance(changed, dict) else changed), complaint)
        for number, (changed, complaint) in enumerate(CONTRACTS)
    }
    check_refused("oncehub.normalize.contract.contract.load_contract", files, root)
    (root / "schemas/sources/tax/registrations.json").write_bytes(files["0.json"][0])
    assert "more than 50000" in oncehub("check")


def description(schemas: dict[str, Any], item: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "array", "items": item}}}
    return {
        "openapi": "3.0.3",
        "paths": {"/x": {"get": {"responses": {"200": {"content": content}}}}},
        "components": {"schemas": schemas},
    }


ENUM = {"type": "string", "enum": [str(number) for number in range(50_000)]}
S0 = {"$ref": "#/components/schemas/S0"}
DESCRIPTIONS: dict[str, tuple[Any, str]] = {
    "fan": (description(fan(11, 12, "#/components/schemas/"), S0), "has more than 200000 fields and values"),
    "huge enum": (
        description(
            {
                "S0": {"properties": {f"p{n}": {"$ref": "#/components/schemas/E"} for n in range(9999)}},
                "E": ENUM,
            },
            S0,
        ),
        "has more than 200000 fields and values",
    ),
    "nested allOf": (
        description(
            {
                f"S{level}": {"allOf": [{"$ref": f"#/components/schemas/S{level + 1}"}] * 12}
                for level in range(11)
            }
            | {"S11": {"properties": {"a": {}}}},
            S0,
        ),
        "has more than 200000 fields and values",
    ),
    "circle": (description({"S0": S0}, S0), "its references run in a circle"),
    "circle of allOf": (
        description({"S0": {"allOf": [S0]}}, S0),
        "anyOf or oneOf run in a circle",
    ),
    "external": (description({}, {"$ref": "http://127.0.0.1:1/x.json"}), "leads out of the document"),
    "other types": ({"openapi": "3.0.3", "paths": []}, "paths: is no mapping, as OpenAPI 3 requires"),
    "other parameters": (
        {"openapi": "3.0.3", "paths": {"/x": {"get": {"parameters": {}}}}},
        "parameters: is no list, as OpenAPI 3 requires",
    ),
    "required that is true": (
        description({"S0": {"type": "object", "properties": {"a": {}}, "required": True}}, S0),
        "required: is no list, as OpenAPI 3 requires",
    ),
    "deep": ({"openapi": "3.0.3", "x": orjson.loads("[" * 200 + "]" * 200)}, "nests deeper than 60 levels"),
}


def test_descriptions_are_bounded(root: Path) -> None:
    files = {
        f"{name}.json": (orjson.dumps(content), complaint)
        for name, (content, complaint) in DESCRIPTIONS.items()
    }
    check_refused("oncehub.authoring.openapi.draft_from_openapi", files, root)


KEY_SETS: dict[str, tuple[bytes, str]] = {
    "large": (b'{"keys": [' + b" " * 64_000 + b"]}", "is larger than 64000 bytes"),
    "deep": (b'{"keys": ' + b"[" * 200 + b"]" * 200 + b"}", "nests deeper than 6 levels"),
    "deeper": (b'{"keys": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "is no JWK set of Ed25519 keys"),
    "many": (orjson.dumps({"keys": [{"kty": "OKP"}] * 101}), "holds 101 keys, and at most 100 are read"),
    "list": (b"[]", "is no JWK set of Ed25519 keys"),
    "text": (b'{"keys": "abc"}', "is no JWK set of Ed25519 keys"),
    "malformed": (b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 1}]}', "is no JWK set of Ed25519 keys"),
}


def test_sets_of_keys_are_bounded(root: Path, oncehub: Callable[..., str]) -> None:
    files = {f"{name}.jwks": case for name, case in KEY_SETS.items()}
    check_refused("oncehub.audit.signing.keys.trusted_keys", files, root)
    assert "is larger than 64000 bytes" in oncehub("client", "thumbprint", "/dev/zero")


def test_files_that_a_command_names_are_bounded(root: Path, oncehub: Callable[..., str]) -> None:
    aliases = root / "api.yaml"
    aliases.write_text("openapi: 3.0.3\n" + ALIASES, "utf-8")
    new = ("connector", "new", "land", "--from-openapi")
    assert "api.yaml:2:4: &a is an anchor" in oncehub(*new, str(aliases))
    assert "is larger than 10000000 bytes" in oncehub(*new, "/dev/zero")
    cassette = root / "connectors/tax/cassette.json.gz"
    cassette.write_bytes(gzip.compress(b"[" * 100_000_000))
    assert "is no recording" in oncehub("connector", "test", "tax", "--recorded")
    assert "is larger than 64000000 bytes" in oncehub(
        "mapping", "diff", "tax.registrations", "--records", "/dev/zero"
    )
