"""Judges single exchanges with Acumatica against the vendor's contracts, without looking at our fake or our client.

`check_exchange` knows the endpoint's entities, fields and types from the specification files and OData v3 literals
from the vendor's guide; it raises `AssertionError` for anything the real system is not known to take or to answer.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PARAMETERS = {"$filter", "$select", "$expand", "$custom", "$top", "$skip"}
SYSTEM_KEYS = {"id", "rowNumber", "note", "custom", "error", "files", "_links"}
ERROR_KEYS = {
    "message",
    "exceptionMessage",
    "exceptionType",
    "stackTrace",
    "innerException",
    "modelState",
    "messageDetail",
}
_METADATA = "{http://www.acumatica.com/entity/maintenance/5.31}"
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "StringValue": (str,),
    "GuidValue": (str,),
    "DateTimeValue": (str,),
    "BooleanValue": (bool,),
    "DecimalValue": (int, float),
    "DoubleValue": (int, float),
    "IntValue": (int,),
    "ShortValue": (int,),
    "LongValue": (int,),
    "ByteValue": (int,),
}
_LITERALS = {
    "StringValue": r"'(?:[^']|'')*'",
    "GuidValue": r"guid'[0-9a-fA-F-]{36}'",
    "DateTimeValue": r"datetimeoffset'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)'",
    "BooleanValue": r"true|false",
    "DecimalValue": r"-?\d+(?:\.\d+)?[Mm]",
    "IntValue": r"-?\d+",
    "ShortValue": r"-?\d+",
}
_CUSTOM_KINDS = {
    "String": "StringValue",
    "Decimal": "DecimalValue",
    "DateTime": "DateTimeValue",
    "Boolean": "BooleanValue",
}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,6}[1-9])?\+00:00")
_NAME = r"[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*"
_CUSTOM = r"cf\.(?P<kind>\w+)\(f='(?P<screen>[^']+)'\)"
_ANY_LITERAL = r"(?:datetimeoffset|guid)'[^']*'|'(?:[^']|'')*'|-?\d+(?:\.\d+)?[A-Za-z]?|true|false"
_CONDITION = re.compile(
    rf"(?:(?P<path>{_NAME})|{_CUSTOM})\s+(?P<operator>eq|ne|gt|ge|lt|le)\s+(?P<literal>{_ANY_LITERAL})(?=[\s)]|$)"
)
_FUNCTION = re.compile(
    rf"(?:substringof\(\s*(?P<text>'(?:[^']|'')*')\s*,\s*(?P<path>{_NAME})\s*\)"
    rf"|(?:startswith|endswith)\(\s*(?P<path2>{_NAME})\s*,\s*'(?:[^']|'')*'\s*\))"
)
_GLUE = re.compile(r"\s*(?:(?:and|or|not)(?=[\s(])|[()])|\s+")


def spec_folder() -> Path | None:
    """The folder with the vendor's contracts, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "acumatica" if root else None


def _folder() -> Path:
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    return folder


@cache
def _matrix() -> dict[str, Any]:
    return json.loads((_folder() / "field_matrix.json").read_text())


@cache
def _metadata(version: str) -> dict[str, dict[str, str]]:
    """Field types of every entity of a version that has endpoint metadata."""
    root = ET.parse(_folder() / f"default_{version}.endpoint-metadata.xml").getroot()
    return {
        entity.get("name", ""): {f.get("name", ""): f.get("type", "") for f in entity.iter(f"{_METADATA}Field")}
        for kind in ("TopLevelEntity", "LinkedEntity", "Detail")
        for entity in root.iter(f"{_METADATA}{kind}")
    }


@cache
def screen_views(entity: str) -> frozenset[str]:
    """The screen views an entity maps to, for `$custom` and `cf.`."""
    root = ET.parse(_folder() / "default_24.200.001.endpoint-metadata.xml").getroot()
    found = [e for e in root.iter(f"{_METADATA}TopLevelEntity") if e.get("name") == entity]
    views = {to.get("object", "").partition(":")[0] for e in found for to in e.iter(f"{_METADATA}To")}
    return frozenset(views)


@cache
def fields_of(entity: str, version: str) -> dict[str, str]:
    """Field names and types of an entity in a version; empty where the version does not have the entity."""
    if entity in _matrix():
        fields = _matrix()[entity]["fields"]
        return {name: field["type"] for name, field in fields.items() if version in field["versions"]}
    if version in {"20.200.001", "24.200.001"}:
        return _metadata(version).get(entity, {})
    # Between two published metadata files only what both have is certain.
    older, newer = (_metadata(one).get(entity, {}) for one in ("20.200.001", "24.200.001"))
    return {name: kind for name, kind in older.items() if newer.get(name) == kind}


def is_scalar(kind: str) -> bool:
    return kind in _JSON_TYPES


def type_of(entity: str, path: str, version: str) -> str:
    """The type at the end of `A/B/Field`; `[]` marks the steps through collections."""
    *outer, last = path.split("/")
    through = ""
    for step in outer:
        kind = fields_of(entity, version).get(step)
        assert kind is not None, f"{version} {entity} has no {step} (in {path})"
        assert not is_scalar(kind), f"{entity}.{step} is a field, not an entity (in {path})"
        through += "[]" if kind.endswith("[]") else ""
        entity = kind.removesuffix("[]")
    kind = fields_of(entity, version).get(last)
    assert kind is not None, f"{version} {entity} has no {last} (in {path})"
    return kind + through


def check_exchange(
    method: str, path_with_query: str, request_body: bytes, status: int, response_body: bytes, version: str
) -> None:
    """Raise `AssertionError` unless request and answer fit the vendor's contract of `version`.

    Exchanges outside `/entity/Default/…` (sign-in, tokens, the endpoint listing) are only checked for their verbs and
    the form of their bodies.
    """
    split = urlsplit(path_with_query)
    place = re.search(r"/entity/Default/([^/]+)/([^/?]+)(/.*)?$", split.path)
    if place is None:
        _check_access(method, split.path, split.query, request_body, status, response_body)
        return
    assert place[1] == version, f"asked for {place[1]}, agreed on {version}"
    entity, key = place[2], unquote(place[3] or "").strip("/")
    assert fields_of(entity, version), f"{version} has no entity {entity}"
    query = _query(split.query)
    if key != "$adHocSchema":
        _check_query(entity, query, version, by_key=bool(key))
    assert method in {"GET", "PUT"}, f"{method} {entity}"
    if method == "PUT":
        _check_put(entity, request_body, version)
    else:
        assert not request_body, "a GET has no body"
    if status >= 400:
        _check_error(status, response_body)
    elif status == 200 and not _is_html(response_body) and key != "$adHocSchema":
        is_list = method == "GET" and not key
        _check_answer(entity, query, json.loads(response_body), version, is_list=is_list)


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    assert len(pairs) == len(dict(pairs)), f"a parameter twice: {text}"
    return dict(pairs)


def _check_query(entity: str, query: dict[str, str], version: str, *, by_key: bool) -> None:
    assert query.keys() <= PARAMETERS, f"not in the contract: {sorted(query.keys() - PARAMETERS)}"
    expanded = _paths(query.get("$expand", ""))
    for path in expanded - {"files"}:
        assert not is_scalar(type_of(entity, path, version)), f"$expand={path}: a field"
        parent = path.rpartition("/")[0]
        assert not parent or parent in expanded, f"$expand={path} without {parent}"
    for path in _paths(query.get("$select", "")):
        type_of(entity, path, version)
        parent = path.rpartition("/")[0]
        assert not parent or parent in expanded, f"$select={path} without $expand={parent}"
    for path in _paths(query.get("$custom", "")):
        *parts, screen = path.split("/")
        assert not parts or "/".join(parts) in expanded, f"$custom={path} without its $expand"
        _check_screen(entity, screen)
    for name in {"$top", "$skip"} & query.keys():
        assert query[name].isdigit(), f"{name}={query[name]}"
        assert not by_key, f"{name} on a single record"
    if "$filter" in query:
        _check_filter(entity, query["$filter"], version)


def _paths(text: str) -> set[str]:
    parts = [part.strip() for part in text.split(",")] if text else []
    assert all(parts), f"an empty name in {text!r}"
    assert len(parts) == len(set(parts)), f"a name twice in {text!r}"
    return set(parts)


def _check_screen(entity: str, screen: str) -> None:
    view, dot, field = screen.partition(".")
    assert dot, f"{screen}: a screen field is View.Field"
    assert field, f"{screen}: a screen field is View.Field"
    known = screen_views(entity)
    assert not known or view in known, f"{entity} maps to no view {view}"


def _check_filter(entity: str, text: str, version: str) -> None:
    """Walk over the text: conditions, functions, and what may stand between them."""
    position, depth, conditions = 0, 0, 0
    while position < len(text):
        if match := _FUNCTION.match(text, position):
            kind = type_of(entity, match["path"] or match["path2"], version)
            assert kind == "StringValue", f"a text function on {kind}: {match[0]}"
            conditions += 1
        elif match := _CONDITION.match(text, position):
            _check_condition(entity, match, version)
            conditions += 1
        else:
            match = _GLUE.match(text, position)
            assert match, f"not OData v3 as this API takes it, from {position}: {text!r}"
            depth += match[0].count("(") - match[0].count(")")
            assert depth >= 0, f"unbalanced: {text!r}"
        position = match.end()
    assert depth == 0, f"unbalanced: {text!r}"
    assert conditions, f"no condition: {text!r}"


def _check_condition(entity: str, match: re.Match[str], version: str) -> None:
    if match["screen"]:
        _check_screen(entity, match["screen"])
        kind = _CUSTOM_KINDS.get(match["kind"], "")
    else:
        kind = type_of(entity, match["path"], version)
    assert not kind.endswith("[]"), f"a filter on detail rows: {match[0]}"
    form = _LITERALS.get(kind)
    assert form is not None, f"no literal is known for {kind or match['kind']}: {match[0]}"
    assert re.fullmatch(form, match["literal"]), f"not a literal of {kind}: {match[0]}"


def _check_put(entity: str, body: bytes, version: str) -> None:
    assert body, "a PUT needs a body"
    values = json.loads(body)
    assert isinstance(values, dict), "a PUT carries one record"
    _check_row(entity, values, version, writing=True)


def _check_answer(entity: str, query: dict[str, str], answer: Any, version: str, *, is_list: bool) -> None:
    rows = answer if is_list else [answer]
    assert isinstance(rows, list), "a list is a bare array"
    if is_list and "$top" in query:
        assert len(rows) <= int(query["$top"]), "more rows than $top"
    for row in rows:
        _check_row(entity, row, version)
        parts = {name for name, kind in fields_of(entity, version).items() if not is_scalar(kind)}
        asked = {path.partition("/")[0] for path in _paths(query.get("$expand", ""))}
        assert parts & row.keys() <= asked, "an entity came that was not expanded"
        if select := _paths(query.get("$select", "")):
            first = {path.partition("/")[0] for path in select} | asked
            assert row.keys() - SYSTEM_KEYS <= first, "a field came that was not selected"


def _check_row(entity: str, row: Any, version: str, *, writing: bool = False) -> None:
    assert isinstance(row, dict), f"{entity}: {type(row).__name__} for a record"
    fields = fields_of(entity, version)
    if not writing:
        assert {"id", "rowNumber", "custom"} <= row.keys(), f"{entity} without its system keys"
    for name, value in row.items():
        if name in SYSTEM_KEYS or (writing and name == "delete"):
            continue
        kind = fields.get(name)
        assert kind is not None, f"{version} {entity} has no {name}"
        if is_scalar(kind):
            _check_value(f"{entity}.{name}", kind, value)
        elif kind.endswith("[]"):
            assert isinstance(value, list), f"{entity}.{name} is a collection"
            for line in value:
                _check_row(kind.removesuffix("[]"), line, version, writing=writing)
        elif value is not None:
            _check_row(kind, value, version, writing=writing)


def _check_value(name: str, kind: str, wrapped: Any) -> None:
    assert isinstance(wrapped, dict), f"{name} is not wrapped"
    assert wrapped.keys() <= {"value", "error"}, f"{name}: {sorted(wrapped)}"
    value = wrapped.get("value")
    if value is None:
        return
    assert isinstance(value, _JSON_TYPES[kind]), f"{name}: {type(value).__name__} for {kind}"
    assert kind == "BooleanValue" or not isinstance(value, bool), f"{name}: a boolean for {kind}"
    if kind == "DateTimeValue":
        assert _STAMP.fullmatch(value) or len(value) == 10, f"{name}: no date-time {value!r}"


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _check_error(status: int, body: bytes) -> None:
    if not body or _is_html(body) or status == 429:
        return
    answer = json.loads(body)
    assert isinstance(answer, dict), "an error is an object"
    if status == 422:
        assert isinstance(answer.get("error"), str), "a 422 says what is wrong at the top"
        return
    assert "message" in answer, "an error has a message"
    assert answer.keys() <= ERROR_KEYS, f"unknown error keys {sorted(answer.keys() - ERROR_KEYS)}"


def _check_access(method: str, path: str, query: str, body: bytes, status: int, response_body: bytes) -> None:
    if path.endswith("/entity"):
        assert (method, query, body) == ("GET", "", b""), "the listing is a bare GET"
    elif path.endswith("/entity/auth/login"):
        assert method == "POST"
        fields = json.loads(body) if body[:1] == b"{" else dict(parse_qsl(body.decode()))
        assert {"name", "password"} <= fields.keys() <= {"name", "password", "tenant", "company", "branch", "locale"}
        assert status != 200 or _is_html(response_body), "a log-in answers 204"
    elif path.endswith("/entity/auth/logout"):
        assert (method, body) == ("POST", b"")
        assert status == 204 or status >= 400
    elif path.endswith("/identity/connect/token"):
        assert method == "POST"
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        needed = {
            "password": {"username", "password", "scope"},
            "authorization_code": {"code", "redirect_uri"},
            "refresh_token": {"refresh_token"},
        }
        kind = form.get("grant_type", "")
        assert kind in needed, f"no grant {kind!r}"
        assert needed[kind] | {"client_id", "client_secret"} <= form.keys(), f"{kind} lacks a field"
    elif path.endswith("/identity/connect/revocation"):
        assert method == "POST"
    else:
        known = path.endswith(("/identity/.well-known/openid-configuration", "/identity/connect/authorize"))
        assert known or path.endswith("/swagger.json"), f"no such address: {path}"
        assert method == "GET"
