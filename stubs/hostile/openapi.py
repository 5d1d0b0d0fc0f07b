"""The OpenAPI 3.1 description of a variant."""

from collections.abc import Mapping

from stubs.hostile.auth.access import KEY_HEADER, KEY_PARAMETER, SCOPE, TOKEN_PATH
from stubs.hostile.formats import media_type
from stubs.hostile.listing import window_parameters
from stubs.hostile.pages import position_parameters
from stubs.hostile.variant import Auth, Variant
from stubs.hostile.wire import CANCELLED, VALID

Json = dict[str, object]

_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer", "minimum": 0}
_TIMES: Mapping[str, Json] = {
    "iso8601": {"type": "string", "format": "date-time", "description": "With its offset"},
    "vietnam": {"type": "string", "description": "Vietnam time as dd/MM/yyyy HH:mm:ss"},
    "unix": {"type": "integer", "description": "Unix time in seconds"},
    "unix_ms": {"type": "integer", "description": "Unix time in milliseconds"},
}
_PARAMETERS: Mapping[str, tuple[str, Json]] = {
    "page": ("Number of the page", _WHOLE),
    "offset": ("How many records to leave out", _WHOLE),
    "cursor": ("Where the page begins, as the last one said", _TEXT),
    "limit": ("Most records in a page", {"type": "integer", "minimum": 1, "default": 100}),
    "afterSeq": ("Records whose thuTu is above this", _WHOLE),
}


def openapi_document(variant: Variant, host: str) -> Json:
    """The description of a variant that is served at `host`."""
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Sổ địa chính (land-use register)", "version": "1.0.0"},
        "servers": [{"url": host}],
        "paths": _paths(variant),
        "components": {
            "schemas": {"Holder": _holder(variant), "Document": _document(variant)},
            "securitySchemes": _security_schemes(variant, host),
        },
    }
    if variant.auth != "none":
        document["security"] = [{"credentials": [SCOPE] if variant.auth.startswith("oauth2") else []}]
    return document


def _paths(variant: Variant) -> Json:
    if variant.transport == "drop":
        return {}
    if variant.transport == "files":
        manifest = _object({"files": {"type": "array", "items": _FILE}})
        return {
            "/files/manifest": _get("listFiles", "The files of the present snapshot", [], _body(manifest)),
            "/files/{name}": _get("getFile", "One of them", [_in_path("name")], {media_type(variant): {}}),
        }
    windowed = variant.changes != "none" and not variant.separate_changes
    paths: Json = {
        "/holders": _listing(variant, "listHolders", "Holders of land-use certificates", windowed=windowed),
        "/holders/{maSo}/documents": _listing(
            variant, "listDocuments", "A holder's documents", windowed=windowed, parent="maSo"
        ),
        "/position": _get("getPosition", "The highest thuTu, and the time", [], _body(_position(variant))),
    }
    if variant.separate_changes:
        paths["/changes"] = _listing(variant, "listChanges", "Holders that changed", windowed=True)
    if variant.deletes == "separate":
        paths["/deleted"] = _listing(variant, "listDeleted", "Holders that were deleted", windowed=True)
    return paths


def _listing(
    variant: Variant, operation: str, summary: str, *, windowed: bool, parent: str | None = None
) -> Json:
    names = (*position_parameters(variant), *(window_parameters(variant) if windowed else ()))
    parameters = [_in_path(parent)] if parent else []
    parameters += [_in_query(name, variant) for name in names]
    kind = "Document" if operation == "listDocuments" else "Holder"
    content: Json = {media_type(variant): {"schema": _page(variant, kind)}}
    return _get(operation, summary, parameters, content, _headers(variant))


def _get(
    operation: str, summary: str, parameters: list[Json], content: Json, headers: Json | None = None
) -> Json:
    answer: Json = {"description": summary, "content": content}
    if headers:
        answer["headers"] = headers
    described: Json = {"operationId": operation, "summary": summary, "responses": {"200": answer}}
    if parameters:
        described["parameters"] = parameters
    return {"get": described}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _in_query(name: str, variant: Variant) -> Json:
    if name in ("since", "until"):
        bound = "Stated at or after" if name == "since" else "Stated before"
        return {"name": name, "in": "query", "description": bound, "schema": _TIMES[variant.time]}
    description, schema = _PARAMETERS[name]
    if name == "afterSeq" and variant.after_inclusive:
        description = "Records whose thuTu is this or above"
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _page(variant: Variant, kind: str) -> Json:
    if variant.format in ("csv", "jsonl"):
        return _TEXT
    records: Json = {"type": "array", "items": {"$ref": f"#/components/schemas/{kind}"}}
    if variant.body_is_list:
        return records
    data: Json = {"items": records}
    if variant.total == "body":
        data["total"] = _WHOLE
    if variant.count:
        data["count"] = _WHOLE
    if variant.more:
        data["more"] = {"type": "boolean"}
    if variant.pages in ("cursor", "next_url"):
        data["next"] = {"type": ["string", "null"], "description": "Of the next page; null on the last"}
    return _object({"data": _object(data)})


def _headers(variant: Variant) -> Json:
    headers: Json = {}
    if variant.total == "header":
        headers["X-Total-Count"] = {"description": "Records in the whole listing", "schema": _WHOLE}
    if variant.pages == "link":
        headers["Link"] = {"description": "The next page, rel=next", "schema": _TEXT}
    if variant.pages == "cursor" and not variant.has_envelope:
        headers["X-Next-Cursor"] = {"description": "Of the next page", "schema": _TEXT}
    return headers


def _holder(variant: Variant) -> Json:
    fields: Json = {
        "maSo": {**_TEXT, "description": "The register's number of the holder (mã số)"},
        "hoTen": {**_TEXT, "description": "Full name (họ và tên)"},
        "soDinhDanh": {**_TEXT, "pattern": "^[0-9]{12}$", "description": "Personal number (số định danh)"},
        "ngaySinh": {**_TEXT, "description": "Date of birth as dd/MM/yyyy"},
        "gioiTinh": {**_TEXT, "enum": ["0", "1"], "description": "Sex: 1 male, 0 female"},
        "dienThoai": {"type": ["string", "null"], "description": "Mobile number"},
        "maXa": {**_TEXT, "pattern": "^[0-9]{5}$", "description": "Commune (mã xã)"},
        "thuaDat": {"type": "array", "items": _TEXT, "description": "Parcels as sheet/number (tờ/thửa)"},
        "trangThai": {**_TEXT, "enum": [VALID, CANCELLED], "description": f"{CANCELLED}: deleted (hủy)"},
        "capNhat": _TIMES[variant.time],
        "thuTu": {**_WHOLE, "description": "Place in the sequence of changes (thứ tự)"},
    }
    if variant.deletes in ("tombstone", "separate"):
        fields["daXoa"] = {"type": "boolean", "description": "Deleted (đã xóa); then only the key is given"}
        return _object(fields, required=["maSo", "capNhat", "thuTu"])
    return _object(fields)


def _document(variant: Variant) -> Json:
    return _object(
        {
            "soPhatHanh": {**_TEXT, "description": "Serial number of the document (số phát hành)"},
            "maSo": {**_TEXT, "description": "Its holder"},
            "loai": {**_TEXT, "enum": ["GCN", "HDCN", "TBT"], "description": "Kind (loại)"},
            "ngayCap": {**_TEXT, "description": "Date of issue as dd/MM/yyyy"},
            "dienTich": {"type": "number", "description": "Area in square metres (diện tích)"},
            "capNhat": _TIMES[variant.time],
            "thuTu": {**_WHOLE, "description": "Place in the sequence of changes (thứ tự)"},
        }
    )


def _position(variant: Variant) -> Json:
    return _object({"thuTu": _WHOLE, "thoiDiem": _TIMES[variant.time]})


def _security_schemes(variant: Variant, host: str) -> Json:
    flow = {"tokenUrl": host + TOKEN_PATH, "scopes": {SCOPE: "Read the register"}}
    oauth2: Json = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    schemes: Mapping[Auth, Json] = {
        "api_key_header": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
        "api_key_query": {"type": "apiKey", "in": "query", "name": KEY_PARAMETER},
        "api_key_cookie": {"type": "apiKey", "in": "cookie", "name": KEY_PARAMETER},
        "basic": {"type": "http", "scheme": "basic"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "oauth2_basic": oauth2,
        "oauth2_post": oauth2,
        "oauth2_jwt": oauth2,
        "hmac": {"type": "apiKey", "in": "header", "name": "X-Signature"},
        "signature_ed25519": {"type": "apiKey", "in": "header", "name": "Signature"},
        "signature_hmac": {"type": "apiKey", "in": "header", "name": "Signature"},
        "mutual_tls": {"type": "mutualTLS"},
    }
    return {"credentials": schemes[variant.auth]} if variant.auth in schemes else {}


def _body(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _object(properties: Json, required: list[str] | None = None) -> Json:
    return {"type": "object", "properties": properties, "required": required or list(properties)}


_FILE = _object({"name": _TEXT, "sha256": _TEXT, "bytes": _WHOLE, "rows": _WHOLE})
