"""Writes the page of a connector, `docs/connectors/<source>.md`, for people who do not read YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oncehub.config.connector import (
    AbsenceDeletes,
    Connector,
    SequenceChanges,
    Stream,
    Submitted,
    TimeChanges,
    TokenChanges,
    TombstoneStream,
)
from oncehub.config.entities import load_entities
from oncehub.config.mapping import FieldRule, StreamMapping
from oncehub.config.quantities import in_words
from oncehub.config.reading import Folder, Read, Sql
from oncehub.config.syntax.paths import first_name
from oncehub.normalize.contract.contract import Contract, load_contract
from oncehub.settings import Settings

_MADE_BY = "<!-- Made by `oncehub connector docs` from the connector's files; change those. -->"


def connector_page(settings: Settings, connector: Connector) -> str:
    """Write the page of one connector, as Markdown.

    Raises:
        ConfigError: when a contract or mapping cannot be read.
    """
    lines = [f"# {connector.title}", "", _MADE_BY, ""]
    lines += [
        f"Source `{connector.source}`, read on the schedule `{connector.schedule}` (Vietnam time). "
        f"Credentials: {_auth(connector)}.",
        f"At most {in_words(connector.limits.requests)} and {connector.limits.concurrency} at a time; a"
        f" request times out after {in_words(connector.limits.timeout)}.",
    ]
    if connector.plugins:
        lines.append(f"`connector.py` replaces its {' and '.join(connector.plugins)}.")
    for name, stream in connector.landed.items():
        lines += ["", f"## {name}", "", *_stream(settings, connector, name, stream)]
    return "\n".join(lines) + "\n"


def stale_pages(settings: Settings, connectors: dict[str, Connector]) -> dict[Path, str | None]:
    """Return the pages that differ from the files: path -> new text, or None to remove the page."""
    folder = settings.root / "docs" / "connectors"
    wanted = {folder / f"{name}.md": connector_page(settings, each) for name, each in connectors.items()}
    stale: dict[Path, str | None] = {
        path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text
    }
    stray = {
        path for path in folder.glob("*.md") if path not in wanted and _MADE_BY in path.read_text("utf-8")
    }
    return stale | dict.fromkeys(sorted(stray))


def _auth(connector: Connector) -> str:
    words = {
        "none": "none",
        "api_key": "an API key",
        "basic": "a user name and password",
        "bearer": "a bearer token",
        "oauth2": "OAuth 2.0 client credentials",
        "hmac": "a signature of every request (HMAC-SHA256)",
        "http_signature": "a signature of every request (RFC 9421)",
        "mutual_tls": "a client certificate",
        "username_token": "a WS-Security UsernameToken in every envelope",
    }
    return words[connector.auth.kind]


def _stream(settings: Settings, connector: Connector, name: str, stream: Stream | Submitted) -> Iterator[str]:
    within = Path("sources") / connector.source
    contract = load_contract(settings.schemas / within / f"{name}.json")
    mapping = StreamMapping.load(settings.mappings / within / f"{name}.yaml")
    if described := contract.schema.get("description"):
        yield f"{described}\n"
    yield from _origins(stream)
    kept = stream.contract
    yield (
        f"- **Contract**: an unknown field: {kept.unknown}; a changed type: {kept.changed_type}; a missing"
        f" field: {kept.missing}. A run stops when more than {stream.quarantine.at_most:.0%} are quarantined."
    )
    entities = load_entities(settings.schemas)
    for entity, mapped in mapping.entities.items():
        yield f"\n| `{entity}` | from | through | means |\n| --- | --- | --- | --- |"
        for target, rule in mapped.attributes.items():
            attribute = entities[entity].attributes[target.partition(".")[0]]
            meaning = attribute.description.partition(";")[0].partition(" (")[0]
            through = ", ".join(
                [*map(_step, rule.via), *([f"codes {rule.codes.name}"] if rule.codes else [])]
            )
            yield f"| {target} | {_origin(rule, mapped.each)} | {through} | {meaning} |"
    yield from _unread(contract, mapping, stream)


def _origins(stream: Stream | Submitted) -> Iterator[str]:
    named = f"- **Named** by {_fields(stream.key)}, **stated** at `{stream.updated.field}`."
    if isinstance(stream, Submitted):
        yield "- **Submitted** to the hub, not read; waiting submissions are landed on the same schedule."
        yield named
        return
    yield f"- **Read** from {_read(stream.read)}, {_pages(stream)}."
    if stream.parent:
        of = stream.parent.of
        yield f"- **Requested** once for each record of `{stream.parent.stream}` ({of} of them)."
    yield named
    yield f"- **Changes**: {_changes(stream)}."
    yield f"- **Deletions**: {_deletes(stream)}."


def _read(read: Read) -> str:
    if isinstance(read, Sql):
        return f"the table `{read.table}` of a database"
    form = {
        "json": "JSON",
        "jsonl": "JSON Lines",
        "csv": "CSV",
        "xlsx": "Excel",
        "parquet": "Parquet",
        "xml": "XML",
    }[read.format]
    form += {"none": "", "gzip": ", gzipped", "zip": ", zipped"}[read.compression]
    if isinstance(read.folder, Folder):
        return f"a file drop `{read.folder.files}` ({form})"
    if read.listing:
        return f"the files listed at `{read.listing.path}` ({form})"
    return f"`{read.path}` ({form})"


def _pages(stream: Stream) -> str:
    pages = stream.pages
    kinds = {
        "none": "whole",
        "number": "by page number",
        "offset": "by offset",
        "cursor": "by cursor",
        "next_url": "by the next page's address",
        "link": "by Link header",
    }
    return kinds[pages.kind] + (f", {pages.size.value} records a page" if pages.size else "")


def _changes(stream: Stream) -> str:
    match stream.changes:
        case TimeChanges(overlap=overlap, skew=skew):
            text = f"requested by time, {in_words(overlap)} below the cursor, up to {in_words(skew)} ago"
        case SequenceChanges(field=field, overlap=overlap):
            text = f"requested by the number in `{field}`, {overlap} below the highest seen"
        case TokenChanges(next=place):
            where = place if isinstance(place, str) else place.header
            return f"requested from the token at `{where}` of the last page read"
        case _:
            return "everything is read each time"
    return text + ("; everything is read from " + _read(stream.snapshot.read) if stream.snapshot else "")


def _deletes(stream: Stream) -> str:
    match stream.deletes:
        case None:
            return "never reported"
        case AbsenceDeletes(at_most=share):
            return f"records missing from a full read, at most {share:.0%} at once"
        case TombstoneStream(read=read):
            return f"listed apart, from {_read(read)}"
        case flagged:
            return f"`{flagged.field}` " + ("is there" if flagged.equals is None else f"= `{flagged.equals}`")


def _fields(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _step(step: object) -> str:
    if isinstance(step, dict):
        ((name, arguments),) = step.items()
        given = arguments if isinstance(arguments, list) else [arguments]
        return f"{name}({', '.join(map(str, given))})"
    return str(step)


def _origin(rule: FieldRule, each: str | None) -> str:
    if rule.value is not None:
        return f"always `{rule.value}`"
    paths = rule.join or ((rule.source,) if isinstance(rule.source, str) else rule.source or ())
    text = (" + " if rule.join else " or ").join(f"`{path}`" for path in paths)
    text += f" where `{rule.pick.where}` is {rule.pick.equals}" if rule.pick else ""
    return f"{text}, each of `{each}`" if each else text


def _unread(contract: Contract, mapping: StreamMapping, stream: Stream | Submitted) -> Iterator[str]:
    """Yield the contract's fields that no mapping reads: the hub does not take them."""
    read = {*stream.key, stream.updated.field, "parent"}
    for mapped in mapping.entities.values():
        read |= {mapped.each} if mapped.each else set()
        read |= {mapped.when.field} if mapped.when else set()
        for rule in mapped.attributes.values():
            paths = rule.join or ((rule.source,) if isinstance(rule.source, str) else rule.source or ())
            read |= {*paths} | ({rule.if_present} if rule.if_present else set())
    roots = {first_name(path) for path in read if path}
    left = [name for name in contract.schema.get("properties", {}) if name not in roots]
    if left:
        yield f"\nNot read: {_fields(tuple(left))}."
