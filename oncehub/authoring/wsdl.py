"""Drafts a connector from a WSDL 1.1 description: each operation that returns a list is a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from oncehub.authoring.draft import DELETIONS_ASKED, Draft, StreamDraft
from oncehub.authoring.openapi import identity
from oncehub.authoring.parameters import NUMBER, OFFSET, SINCE, SIZE, TOTAL, UNTIL
from oncehub.authoring.proposal import plain_name
from oncehub.errors import ConfigError
from oncehub.extras import needs_extra
from oncehub.files import read_bounded
from oncehub.normalize.contract.contract import Node

_DEEPEST: Final = 6
_MOST_BYTES: Final = 10_000_000
_ENVELOPES: Final = {
    "Soap11Binding": "http://schemas.xmlsoap.org/soap/envelope/",
    "Soap12Binding": "http://www.w3.org/2003/05/soap-envelope",
}
_PLACEHOLDERS: Final = {
    **dict.fromkeys(SINCE, "since"),
    **dict.fromkeys(UNTIL, "until"),
    **dict.fromkeys(SIZE, "size"),
    **dict.fromkeys(NUMBER, "page"),
    **dict.fromkeys(OFFSET, "offset"),
}
_PAGES: Final = {"page": "number", "offset": "offset"}


def draft_from_wsdl(path: Path) -> Draft:
    """Read a WSDL file; what it imports must lie beside it, nothing is fetched.

    Raises:
        ConfigError: when it is no WSDL 1.1, imports from elsewhere, or no operation returns a list.
        ExtraMissing: when zeep is not installed.
    """
    streams: dict[str, StreamDraft] = {}
    left: list[str] = []
    for binding, address, operation in _operations(path):
        found = _stream(binding, address, operation)
        name = re.sub(r"[^a-z0-9]+", "_", operation.name.lower()).strip("_")[:28]
        if found is None or not name[:1].isalpha():
            left.append(f"not a list of elements: {operation.name}")
        elif name not in streams:
            streams[name] = found
    if not streams:
        raise ConfigError(f"{path}: no operation returns a list of elements; begin with a template instead")
    notes = [f"From {path.name}. A remark marks what was guessed; `oncehub connector check` tries it."]
    notes += ["auth: WS-Security with a password digest is {kind: username_token}", *left, DELETIONS_ASKED]
    return Draft(path.stem, {"kind": "none"}, streams, notes)


def _operations(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield the kind of binding, the address, and each operation; of bindings alike the first counts."""
    with needs_extra("wsdl"):
        import zeep  # noqa: PLC0415 - of an extra
        from zeep.wsdl import Document  # noqa: PLC0415

    folder = path.resolve().parent

    class Beside(zeep.Transport):
        """Loads files that lie beside the description."""

        def load(self, url: str) -> bytes:
            file = Path(url.removeprefix("file://"))
            if "://" in url.removeprefix("file://") or folder not in file.resolve().parents:
                raise ConfigError(f"{path}: imports {url}, which does not lie beside it; save it there")
            return read_bounded(file, _MOST_BYTES)

    try:
        settings = zeep.Settings(strict=False, forbid_dtd=True, forbid_entities=True)
        transport: Any = Beside()  # type: ignore[no-untyped-call]
        services = Document(str(path.resolve()), transport, settings=settings).services
    except ConfigError:
        raise
    except (zeep.exceptions.Error, SyntaxError, ValueError, KeyError, AttributeError, TypeError) as error:
        # The library refuses a damaged file by whichever of these meets it first.
        raise ConfigError(f"{path}: is no WSDL 1.1 that can be read: {type(error).__name__}") from None
    for service in services.values():
        for port in service.ports.values():
            kind = type(port.binding).__name__
            if kind in _ENVELOPES:
                address = urlsplit(port.binding_options.get("address") or "").path or "/"
                for operation in port.binding._operations.values():
                    yield kind, address, operation


def _stream(kind: str, address: str, operation: Any) -> StreamDraft | None:
    asked, answer = operation.input.body, operation.output.body if operation.output else None
    found = None if answer is None else _listed(answer, (answer.qname.localname,))
    if found is None:
        return None
    where, record = found
    named: set[str] = set()
    fields = "\n".join(_template(asked, named, "      "))
    envelope = (
        f"<soap:Envelope xmlns:soap={quoteattr(_ENVELOPES[kind])}>\n  <soap:Header/>\n  <soap:Body>\n"
        f"{fields}\n  </soap:Body>\n</soap:Envelope>\n"
    )
    action = operation.soapaction or ""
    headers = {"SOAPAction": f'"{action}"'}
    if kind == "Soap12Binding":
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    read = {"format": "xml", "path": address, "headers": headers, "body": envelope}
    lists = [name for name, each in _children(record) if _is_list(each)]
    read |= {"records": "/".join(("Body", *where)), "errors": "Body.Fault"} | (
        {"lists": lists} if lists else {}
    )
    contract = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_contract(record)}
    notes = {"read": "guessed: what stands for the parameters of the operation"}
    settings: dict[str, Any] = {"read": read, "pages": _pages(named, answer, where, notes)}
    settings |= identity(contract, [], notes)
    if "since" in named:
        notes["changes"] = "guessed: since inclusive, until exclusive, sent in the form of updated"
        settings["changes"] = {"overlap": "1h"}
    return StreamDraft(settings, contract, notes)


def _pages(named: set[str], answer: Any, where: tuple[str, ...], notes: dict[str, str]) -> dict[str, Any]:
    kind = next((kind for name, kind in _PAGES.items() if name in named), "none")
    if kind == "none":
        notes["pages"] = "guessed: everything in one answer"
        return {"kind": "none"}
    notes["pages"] = "guessed from the names of the operation's parameters"
    pages: dict[str, Any] = {"kind": kind}
    pages |= {"size": {"value": 1000}} if "size" in named else {}
    total = _total(answer, (where[0],), where)
    return pages | ({"total": ".".join(("Body", *total))} if total else {})


def _total(element: Any, path: tuple[str, ...], where: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the path of a count that stands beside the records."""
    for name, each in _children(element):
        if plain_name(name) in TOTAL and not _children(each):
            return (*path, name)
        if where[: len(path) + 1] == (*path, name) and (found := _total(each, (*path, name), where)):
            return found
    return None


def _template(element: Any, named: set[str], indent: str) -> Iterator[str]:
    """Yield the lines of an element, placeholders where its parameters are known by their names."""
    name, namespace = element.qname.localname, element.qname.namespace
    opened = f"{indent}<{name} xmlns={quoteattr(namespace or '')}>"
    children = _children(element)
    if not children:
        if known := _PLACEHOLDERS.get(plain_name(name)):
            named.add(known)
            yield f"{opened}{{{known}}}</{name}>"
        elif not element.is_optional:
            yield f"{opened}?</{name}>"
        return
    yield opened
    if len(indent) < 2 * _DEEPEST + 6:
        for _, each in children:
            yield from _template(each, named, indent + "  ")
    yield f"{indent}</{name}>"


def _listed(element: Any, path: tuple[str, ...]) -> tuple[tuple[str, ...], Any] | None:
    """Return the path of the first list of elements with children, and its element."""
    for name, each in _children(element):
        if _is_list(each) and _children(each):
            return (*path, name), each
    for name, each in _children(element) if len(path) < _DEEPEST else ():
        if (found := _listed(each, (*path, name))) is not None:
            return found
    return None


def _contract(element: Any, depth: int = 0) -> Node:
    """Return what XML makes of an element: texts, objects of its children, and lists."""
    properties: Node = {}
    for name, each in _children(element) if depth < _DEEPEST else ():
        inner: Node = _contract(each, depth + 1) if _children(each) else {"type": ["string", "null"]}
        properties[name] = {"type": "array", "items": inner} if _is_list(each) else inner
    required = [name for name, each in _children(element) if name in properties and not each.is_optional]
    return {"type": "object", "required": required, "properties": properties}


def _children(element: Any) -> list[tuple[str, Any]]:
    """The child elements of an element, by name; none of a simple one."""
    return [
        (each.qname.localname, each)
        for _, each in getattr(element.type, "elements", ())
        if getattr(each, "qname", None) is not None
    ]


def _is_list(element: Any) -> bool:
    return bool(element.accepts_multiple)
