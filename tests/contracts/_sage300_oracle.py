"""Judges single exchanges with the Web API of Sage 300, without looking at our fake or our client.

`check_exchange` knows properties and types from the vendor's `$metadata` and the field tables, query syntax from the
vendor's request examples, and error bodies from the samples; it raises `AssertionError` for anything the real system is
not known to take or to answer.
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

OPTIONS = {"$filter", "$select", "$top", "$skip", "$count"}
QUERY_LENGTH = 2048
"""IIS answers longer queries with 404."""

KEYS = {
    "ARCustomers": {"CustomerNumber": "string"},
    "ARShipToLocations": {"CustomerNumber": "string", "ShipToLocationKey": "string"},
    "MTContacts": {"ContactCode": "string"},
    "APVendors": {"VendorNumber": "string"},
    "OEOrders": {"OrderUniquifier": "number"},
    "OEInvoices": {"InvoiceUniquifier": "number"},
    "ICItems": {"UnformattedItemNumber": "string"},
}
_AR_TYPES = {"ARCustomers": "Customer", "ARShipToLocations": "ShipToLocation"}
_FRAMEWORK = {"UpdateOperation": "enum string", "Warnings": "array"}
# What later releases have besides, or spell otherwise, by clients that met it.
_LATER = {"ARCustomers": {"CustomerContactSelection": "array", "SageBillingAndPaymentCustomer": "enum string"}}
_EDM = "{http://schemas.microsoft.com/ado/2009/11/edm}"
_V4 = "{http://docs.oasis-open.org/odata/ns/edm}"
_KINDS = {"Edm.DateTime": "date-time string or null", "Edm.Boolean": "boolean"}
_ROWS = {
    "OrderDetails": "OEOrders.OrderDetails[]",
    "InvoiceDetails": "OEInvoices.InvoiceDetails[]",
    "CustomerContactSelection": "ARCustomers.CustomerContactSelection[]",
    "CustomerOptionalFieldValues": "CustomerOptionalFieldValue",
    "ShipToLocationsOptionalField": "ShipToLocationsOptionalField",
}
_LITERALS = {
    "string": r"'(?:[^']|'')*'",
    "date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "number": r"-?\d+(?:\.\d+)?",
    "boolean": r"true|false",
}
_ANY_LITERAL = "|".join(f"(?:{form})" for form in (_LITERALS["date"], *_LITERALS.values()))
_CONDITION = re.compile(
    rf"(?:(?P<name>[A-Za-z]\w*)|length\((?P<measured>[A-Za-z]\w*)\))"
    rf"\s+(?P<operator>eq|ne|gt|ge|lt|le)\s+(?P<literal>{_ANY_LITERAL})(?=[\s)]|$)"
)
_FUNCTION = re.compile(r"(?:startswith|endswith)\(\s*(?P<name>[A-Za-z]\w*)\s*,\s*'(?:[^']|'')*'\s*\)")
_GLUE = re.compile(r"\s*(?:(?:and|or)(?=[\s(])|[()])|\s+")
_PLACE = re.compile(r"/v1\.0/(?P<tenant>[^/]+)/(?P<company>[^/]+)/(?P<module>[A-Z]{2})/(?P<last>[^/]+)$")
_MIDNIGHT = re.compile(r"\d{4}-\d\d-\d\dT00:00:00Z")


def spec_folder() -> Path | None:
    """The folder with the vendor's contracts, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "sage300" if root else None


def _folder() -> Path:
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    return folder


@cache
def _ar_types() -> dict[str, dict[str, str]]:
    """Properties of every A/R type; types of V3, in which an enumeration is a string that cannot be null."""
    root = ET.parse(_folder() / "ar_metadata_odata_v3_2017.edmx").getroot()
    found: dict[str, dict[str, str]] = {}
    for kind in (*root.iter(f"{_EDM}EntityType"), *root.iter(f"{_EDM}ComplexType")):
        rows = {p.get("Name", ""): _plain_kind(p) for p in kind.iter(f"{_EDM}Property")}
        found[kind.get("Name", "")] = rows
    return found


def _plain_kind(declared: ET.Element) -> str:
    kind = declared.get("Type", "")
    if kind.startswith("Collection("):
        return "array"
    if kind == "Edm.String":
        # Keys cannot be null either, and are no enumerations; `properties_of` puts them right.
        return "enum string" if declared.get("Nullable") == "false" else "string"
    return _KINDS.get(kind, "number")


@cache
def _tables() -> dict[str, dict[str, str]]:
    """The field tables, with families and alternatives taken apart; details of invoices become a table of their own."""
    raw = json.loads((_folder() / "field_tables.json").read_text())
    found: dict[str, dict[str, str]] = {}
    for name, rows in raw.items():
        if name.startswith("_"):
            continue
        for row in rows:
            table, text = name, row["property"]
            if text.startswith("InvoiceDetails[]."):
                table, text = f"{name}.InvoiceDetails[]", text.removeprefix("InvoiceDetails[].")
            for part in text.split(" / "):
                found.setdefault(table, {}).update(dict.fromkeys(_family(part.strip()), row["json"]))
    return found


def _family(name: str) -> list[str]:
    stem, dots, last = name.partition("..")
    return [f"{stem[:-1]}{number}" for number in range(int(stem[-1]), int(last) + 1)] if dots else [name]


@cache
def properties_of(table: str) -> dict[str, str]:
    """Property to JSON type of a resource or of a detail table; empty where no contract is at hand."""
    known = _ar_types().get(_AR_TYPES.get(table, table)) or _tables().get(table) or {}
    if not known:
        return {}
    return {**known, **_FRAMEWORK, **_LATER.get(table, {}), **KEYS.get(table, {})}


@cache
def _statuses() -> dict[str, int]:
    """The vendor's codes with the status of their sample."""
    found = {}
    for path in _folder().glob("fixtures/error_*.json"):
        code = json.loads(path.read_text())["error"]["code"]
        if code:
            found[code] = int(path.stem[-3:])
    return found


def check_exchange(method: str, path_with_query: str, request_body: bytes, status: int, response_body: bytes) -> None:
    """Raise `AssertionError` unless request and answer fit the vendor's contract. Reading is all that is known."""
    split = urlsplit(path_with_query)
    place = _PLACE.search(unquote(split.path))
    assert place, f"not .../v1.0/tenant/COMPANY/MODULE/Resource: {split.path}"
    assert re.fullmatch(r"[A-Z0-9]{1,6}", place["company"]), f"no Org ID: {place['company']}"
    assert method == "GET", f"{method} writes"
    assert not request_body, "a GET has no body"
    assert len(split.query) <= QUERY_LENGTH, "IIS refuses a query this long"
    options = _options(split.query)
    if status >= 400:
        _check_error(status, response_body)
    if place["last"] == "$metadata":
        assert not options, "$metadata takes no options"
        if status == 200:
            check_metadata(place["module"], response_body)
        return
    name, _, key = place["last"].partition("(")
    assert name in KEYS, f"no resource {name}"
    assert name.startswith(place["module"]), f"{name} is not in {place['module']}"
    _check_options(name, options, by_key=bool(key))
    if key:
        _check_key(name, key)
    if status == 200:
        _check_answer(name, options, json.loads(response_body), by_key=bool(key))


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    assert len(pairs) == len(dict(pairs)), f"an option twice: {query}"
    return dict(pairs)


def _check_options(name: str, options: dict[str, str], *, by_key: bool) -> None:
    known = {"$select"} if by_key else OPTIONS
    assert options.keys() <= known, f"not in the contract: {sorted(options.keys() - known)}"
    for number in {"$top", "$skip"} & options.keys():
        assert re.fullmatch(r"[0-9]+", options[number]), f"{number}={options[number]}"
    assert options.get("$count", "true") in {"true", "false"}, f"$count={options['$count']}"
    for one in _selected(options):
        _kind_of(name, one)
    if "$filter" in options:
        _check_filter(name, options["$filter"])


def _selected(options: dict[str, str]) -> list[str]:
    names = options["$select"].split(",") if "$select" in options else []
    assert len(names) == len(set(names)), f"a name twice in {names}"
    return names


def _kind_of(table: str, name: str) -> str:
    """The JSON type of a property; `mixed` where no contract says."""
    known = properties_of(table)
    assert not known or name in known, f"{table} has no property {name}"
    return known.get(name, "mixed")


def _check_filter(table: str, text: str) -> None:
    """Walk over the text: conditions, functions, and what may stand between them."""
    position, depth, conditions = 0, 0, 0
    while position < len(text):
        if match := _FUNCTION.match(text, position):
            assert "string" in _kind_of(table, match["name"]) or not properties_of(table), f"no text: {match[0]}"
            conditions += 1
        elif match := _CONDITION.match(text, position):
            _check_condition(table, match)
            conditions += 1
        else:
            match = _GLUE.match(text, position)
            assert match, f"not OData V4 as this API takes it, from {position}: {text!r}"
            depth += match[0].count("(") - match[0].count(")")
            assert depth >= 0, f"unbalanced: {text!r}"
        position = match.end()
    assert depth == 0, f"unbalanced: {text!r}"
    assert conditions, f"no condition: {text!r}"


def _check_condition(table: str, match: re.Match[str]) -> None:
    kind = "number" if match["measured"] else _kind_of(table, match["name"])
    if match["measured"]:
        assert "string" in _kind_of(table, match["measured"]), f"no text: {match[0]}"
    if kind == "mixed":
        return
    assert kind != "array", f"only properties of the resource itself can be filtered: {match[0]}"
    form = "date" if kind.startswith("date") else "string" if "string" in kind else kind.replace("integer", "number")
    assert re.fullmatch(_LITERALS[form], match["literal"]), f"not a literal of {kind}: {match[0]}"
    if kind in {"enum string", "boolean"}:
        assert match["operator"] in {"eq", "ne"}, f"an enumeration has no order: {match[0]}"


def _check_key(name: str, text: str) -> None:
    assert text.endswith(")"), f"an open bracket: {text}"
    assert not set("/%&*:<>?") & set(text), f"IIS refuses such a key in the path: {text}"
    forms = {"string": r"'(?:[^']|'')*'", "number": r"\d+"}
    keys = KEYS[name]
    named = ",".join(f"{key}={forms[kind]}" for key, kind in keys.items())
    plain = forms[next(iter(keys.values()))] if len(keys) == 1 else "$^"
    assert re.fullmatch(f"(?:{named}|{plain})", text[:-1]), f"no key of {name}: {text}"


# -- answers ------------------------------------------------------------------------------------------------------


def _check_answer(name: str, options: dict[str, str], answer: Any, *, by_key: bool) -> None:
    assert isinstance(answer, dict), "an answer is an object"
    selected = _selected(options)
    selection = f"({','.join(selected)})" if selected else ""
    context = f"$metadata#{name}{selection}" + ("/$entity" if by_key else "")
    assert answer.get("@odata.context", "").endswith(context), f"context {answer.get('@odata.context')}"
    if by_key:
        _check_row(name, {key: value for key, value in answer.items() if key != "@odata.context"}, selected)
        return
    assert answer.keys() <= {"@odata.context", "@odata.count", "value", "@odata.nextLink"}, f"{sorted(answer)}"
    rows = answer.get("value")
    assert isinstance(rows, list), "a list has a value"
    assert options.get("$count") == "true" or "@odata.count" not in answer, "a count nobody asked for"
    assert isinstance(answer.get("@odata.count", 0), int), "the count is a number"
    assert len(rows) <= int(options.get("$top", len(rows))), "more rows than $top"
    if "@odata.nextLink" in answer:
        assert rows, "an empty page goes nowhere"
        assert re.search(rf"/{name}\?.*\$skip=\d+$", answer["@odata.nextLink"]), f"link {answer['@odata.nextLink']}"
    for row in rows:
        _check_row(name, row, selected)


def _check_row(table: str, row: Any, selected: list[str] | None = None) -> None:
    assert isinstance(row, dict), f"{table}: {type(row).__name__} for a record"
    if selected:
        assert set(row) == set(selected), f"{table}: asked for {selected}, got {sorted(row)}"
    known = properties_of(table)
    for name, value in row.items():
        if known:
            _check_value(f"{table}.{name}", _kind_of(table, name), value)
        if name in _ROWS:
            for line in value:
                _check_row(_ROWS[name], line)


def _check_value(name: str, kind: str, value: Any) -> None:
    if kind == "mixed":
        assert isinstance(value, str | int | float | list) or value is None, f"{name}: {type(value).__name__}"
    elif kind.startswith("date"):
        assert value is None or _MIDNIGHT.fullmatch(value), f"{name}: no midnight {value!r}"
    elif kind == "boolean":
        assert isinstance(value, bool), f"{name}: {type(value).__name__} for a boolean"
    elif kind == "array":
        assert isinstance(value, list), f"{name}: {type(value).__name__} for a collection"
    elif "string" in kind:
        assert isinstance(value, str), f"{name}: {type(value).__name__} for a text"
    else:
        assert isinstance(value, int | float), f"{name}: {type(value).__name__} for a number"
        assert not isinstance(value, bool), f"{name}: a boolean for a number"


def _check_error(status: int, body: bytes) -> None:
    if not body or body.lstrip()[:1] == b"<":
        return
    error = json.loads(body)["error"]
    assert error.keys() <= {"code", "message", "innererror"}, f"unknown error keys {sorted(error)}"
    assert isinstance(error["code"], str)
    message = error["message"]
    if isinstance(message, str):
        assert error["code"] == "", "a plain message is the OData library's, which has no code"
        return
    assert message.keys() == {"lang", "value"}, f"a message has language and text: {sorted(message)}"
    assert isinstance(message["value"], str)
    assert error["code"], "the vendor's own errors have a code"
    assert _statuses().get(error["code"], status) == status, f"{error['code']} with {status}"


def check_metadata(module: str, document: bytes) -> None:
    """Raise `AssertionError` unless the document describes known properties in the form of OData V4."""
    root = ET.fromstring(document)
    assert root.get("Version") == "4.0"
    schemas = {schema.get("Namespace"): schema for schema in root.iter(f"{_V4}Schema")}
    namespace = f"Sage.CA.SBS.ERP.Sage300.{module}.WebApi.Models"
    assert namespace in schemas, f"no schema {namespace}"
    kinds = {one.get("Name"): one for one in schemas[namespace].iter() if one.tag.endswith("Type")}
    container = schemas["Default"].find(f"{_V4}EntityContainer")
    assert container is not None
    assert container.get("Name") == "Container"
    for one in container.iter(f"{_V4}EntitySet"):
        prefix, _, kind = (one.get("EntityType") or "").rpartition(".")
        assert prefix == namespace, f"{one.get('Name')} is of {prefix}"
        _check_type(one.get("Name") or "", kinds[kind], kinds)


def _check_type(table: str, kind: ET.Element, kinds: dict[str | None, ET.Element]) -> None:
    keys = [key.get("Name") for key in kind.iter(f"{_V4}PropertyRef")]
    assert keys == list(KEYS[table]), f"{table}: keys {keys}"
    for declared in kind.iter(f"{_V4}Property"):
        name, edm = declared.get("Name") or "", declared.get("Type") or ""
        expected = _kind_of(table, name)
        if edm.startswith("Collection("):
            found = "array"
        elif edm.startswith("Edm."):
            found = {"Edm.String": "string", "Edm.DateTimeOffset": "date", "Edm.Boolean": "boolean"}.get(edm, "number")
        else:
            assert edm.rpartition(".")[2] in kinds, f"{table}.{name}: no type {edm}"
            found = "enum string"
        plain = expected.replace("integer", "number").partition("-")[0]
        assert plain in {found, "mixed"}, f"{table}.{name}: {edm} for {expected}"
