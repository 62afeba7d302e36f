"""Judges single exchanges with SYSPRO against the vendor's contracts, without looking at our fake or our client.

`check_exchange` knows tables and columns from introspections of real databases, SOAP operations from the saved WSDLs,
and the shapes of e.net from recorded traffic; it raises `AssertionError` for anything the real system is not known to
take or to answer. OData is judged by the OData 4 standard and the columns' SQL types.
"""

from __future__ import annotations

import csv
import json
import os
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
REST = {
    "getversion": "",
    "logon": "Operator OperatorPassword CompanyId CompanyPassword",
    "logoff": "UserId",
    "getlogonprofile": "UserId",
    "query/query": "UserId BusinessObject XmlIn",
    "query/browse": "UserId XmlIn",
    "query/fetch": "UserId XmlIn",
    "setup/add": "UserId BusinessObject XmlParameters XmlIn",
    "transaction/post": "UserId BusinessObject XmlParameters XmlIn",
}
ROOT_ATTRIBUTES = "Language Language2 CssStyle DecFormat DateFormat Role Version OperatorPrimaryRole".split()
OBJECT_ROOTS = {"SORQRY": "SorDetail", "CMSQRC": "ContactQuery", "CMSQEM": "ContactQuery", "COMQCO": "Companies"}
OPTIONS = {"$select", "$filter", "$orderby", "$top", "$skip"}
_SESSION = re.compile(rb"[0-9A-F]{32}\d\d  ")
_DAY = r"\d{4}-\d\d-\d\d"
_LITERALS = {
    "text": r"'(?:[^']|'')*'",
    "number": r"-?\d+(?:\.\d+)?",
    "day": rf"{_DAY}T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)|{_DAY}",
}
_ANY_LITERAL = "|".join((_LITERALS["text"], _LITERALS["day"], _LITERALS["number"]))
_CONDITION = re.compile(rf"(?P<column>[A-Za-z]\w*) (?P<word>eq|ne|gt|ge|lt|le) (?P<literal>{_ANY_LITERAL})(?=[\s)]|$)")
_FUNCTION = re.compile(r"(?:startswith|endswith|contains)\((?P<column>[A-Za-z]\w*),\s*'(?:[^']|'')*'\)")
_GLUE = re.compile(r"\s*(?:(?:and|or|not)(?=[\s(])|[()])|\s+")
_FIND_PARTS = "TableName ReturnRows Columns Where OrderBy".split()
_EXPRESSION_PARTS = ("OpenBracket AndOr Column Condition Value CloseBracket".split(),
                     "AndOr OpenBracket Column Condition Value CloseBracket".split())  # fmt: skip


def spec_folder() -> Path | None:
    """The folder with the vendor's contracts, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "syspro" if root else None


def _folder() -> Path:
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    return folder


def sample(name: str) -> bytes:
    """A request or answer in the true shape."""
    return (_folder() / "samples" / name).read_bytes()


@cache
def recorded(name: str) -> list[dict[str, Any]]:
    """Recorded exchanges; the recorder had replaced every capital L, the id of the site's company."""
    text = (_folder() / "recorded" / f"{name}.yml").read_text(encoding="utf-8")
    interactions: list[dict[str, Any]] = yaml.safe_load(text.replace("<syspro_company>", "L"))["http_interactions"]
    return interactions


@cache
def tables() -> dict[str, dict[str, dict[str, str]]]:
    """Columns of each table that introspections are known of."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    with (_folder() / "schema" / "columns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["table"], {})[row["column"]] = row
    return found


def kind_of(table: str, column: str) -> str | None:
    """`text`, `number`, `day` or `stamp`; `None` for a table, or a site's own column, that nobody introspected."""
    columns = tables().get(table)
    if columns is None:
        return None
    assert column in columns, f"{table} has no {column}"
    kind = columns[column]["sql_type"].partition("(")[0]
    return {"varchar": "text", "char": "text", "decimal": "number", "datetime": "day", "timestamp": "stamp"}[kind]


@cache
def wsdl(service: str) -> dict[str, Any]:
    """Namespace, binding, and the parameters and result of each operation of a saved WSDL."""
    return read_wsdl((_folder() / "wsdl" / f"{service}.asmx.wsdl").read_bytes())


def read_wsdl(text: bytes) -> dict[str, Any]:
    """What a WSDL says, without its documentation and without the address, which differs by host."""
    root = ET.fromstring(text)
    elements = {}
    for element in root.findall(f"{WSDL}types/{SCHEMA}schema/{SCHEMA}element"):
        parts = element.findall(f"{SCHEMA}complexType/{SCHEMA}sequence/{SCHEMA}element")
        elements[element.get("name")] = [(one.get("name"), one.get("type"), one.get("minOccurs")) for one in parts]
    enumerations = {
        kind.get("name"): [one.get("value") for one in kind.iter(f"{SCHEMA}enumeration")]
        for kind in root.findall(f"{WSDL}types/{SCHEMA}schema/{SCHEMA}simpleType")
    }
    actions = {
        one.get("name"): operation.get("soapAction")
        for one in root.findall(f"{WSDL}binding/{WSDL}operation")
        if (operation := one.find(f"{SOAP}operation")) is not None
    }
    ports = [(one.get("name"), one.get("binding")) for one in root.iter(f"{WSDL}port")]
    services = [one.get("name") for one in root.iter(f"{WSDL}service")]
    return {
        "namespace": root.get("targetNamespace"),
        "elements": elements,
        "enumerations": enumerations,
        "actions": actions,
        "ports": ports,
        "services": services,
    }


# -- every exchange ---------------------------------------------------------------------------------------------------


def check_exchange(
    method: str, path_with_query: str, request_body: bytes, status: int, response_body: bytes, action: str = ""
) -> None:
    """Raise `AssertionError` unless request and answer fit the vendor's contract; `action` is a SOAPAction header."""
    split = urlsplit(path_with_query)
    path = unquote(split.path)
    if place := re.search(r"/SYSPROWCFService/Rest/(.+)$", path, re.IGNORECASE):
        assert (method, request_body) == ("GET", b""), "e.net REST is GET, without a body"
        check_rest(place[1], split.query, status, response_body)
    elif place := re.search(r"/SYSPROWebServices/(\w+)\.asmx$", path, re.IGNORECASE):
        check_soap(place[1], method, split.query, request_body, action, status, response_body)
    else:
        assert (method, request_body) == ("GET", b""), "OData is read-only"
        check_odata(path.rpartition("/")[2], split.query, status, response_body)


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:5].lower() in {b"<html", b"<!doc"}


# -- REST -------------------------------------------------------------------------------------------------------------


def check_rest(operation: str, query: str, status: int, body: bytes) -> None:
    """One call: exactly the operation's parameters; an answer of its form, or a text that begins with ERROR."""
    names = REST.get(operation.lower())
    assert names is not None, f"no such operation: {operation}"
    pairs = parse_qsl(query, keep_blank_values=True)
    if status == 200:
        assert sorted(name for name, _ in pairs) == sorted(names.split()), f"{operation}: {[name for name, _ in pairs]}"
    else:
        assert _is_html(body), f"{operation}: {status} is a page"
        return
    sent = dict(pairs)
    if "UserId" in sent:
        assert re.fullmatch(r"[0-9A-Z]{32,34} *", sent["UserId"]), "no session id"
    if body[:5].upper() == b"ERROR":
        assert re.match(rb"ERROR: \S", body), body[:60]
    elif operation.lower() == "logon":
        assert _SESSION.fullmatch(body), "34 characters and two blanks"
    elif operation.lower() == "logoff":
        assert body == b"0"
    elif operation.lower() == "getversion":
        assert re.fullmatch(rb"\d+\.\d+\.\d+\.\d+", body)
    else:
        check_document(operation, sent.get("BusinessObject", ""), sent.get("XmlIn", ""), body)


def check_document(operation: str, business_object: str, request: str, body: bytes) -> None:
    """A request document and its answer."""
    root = read_document(body)
    kind = {"query/browse": "COMBRW", "query/fetch": "COMFCH"}.get(operation.lower(), business_object)
    if kind == "COMFND":
        _check_found(ET.fromstring(request), root)
    elif kind == "COMFCH":
        asked = ET.fromstring(request)
        assert asked.tag == "Fetch"
        assert root.tag == asked.findtext("TableName", "").replace("+", "_")
        for child in root:
            _check_value(root.tag, child)
    elif kind == "COMBRW":
        assert ET.fromstring(request).tag == "Browse"
        assert root.find("NextPrevKey/Fwd") is not None
        assert root.findtext("NextPrevKey/Fwd") in {"True", "False"}
        assert all({"Value", "DataType"} == {part.tag for part in cell} for cell in root.findall("Row/*"))
    elif kind in OBJECT_ROOTS:
        assert root.tag == OBJECT_ROOTS[kind], f"{kind} answers {root.tag}"
    else:
        assert operation.lower() == "getlogonprofile", f"nothing is known of {kind}"
        assert root.findtext("CompanyName") is not None


def read_document(body: bytes) -> ET.Element:
    """The root of an answer: the prolog, the frame's attributes, a newline and a blank behind it."""
    assert body.startswith(b'<?xml version="1.0" encoding="'), body[:60]
    assert re.search(rb">\s*$", body)
    root = ET.fromstring(body.strip())
    assert list(root.attrib) == ROOT_ATTRIBUTES, list(root.attrib)
    assert re.fullmatch(r"\d+\.\d+\.\d{3}", root.get("Version", "")), root.get("Version")
    return root


def _check_found(asked: ET.Element, root: ET.Element) -> None:
    assert asked.tag == "Query"
    parts = [child.tag for child in asked]
    assert parts == [name for name in _FIND_PARTS if name in parts], f"the order of elements: {parts}"
    table = asked.findtext("TableName", "")
    columns = [one.text or "" for one in asked.findall("Columns/Column")]
    order = [one.text or "" for one in asked.findall("OrderBy/Column")]
    assert columns, "at least one column"
    for column in [*columns, *order]:
        assert kind_of(table, column) != "stamp", "the finder is not known to show rowversions"
    for expression in asked.findall("Where/Expression"):
        _check_expression(table, expression)
    assert root.tag == table.replace("+", "_"), f"{table} answers {root.tag}"
    assert root.findtext("HeaderDetails/TableName") == table
    assert [one.text for one in root.findall("HeaderDetails/Columns/Column")] == columns
    assert [one.text for one in root.findall("HeaderDetails/OrderBy/Column")] == order
    rows = root.findall("Row")
    assert int(root.findtext("RowsReturned", "")) == len(rows)
    assert len(rows) <= int(asked.findtext("ReturnRows") or len(rows)), "more rows than asked for"
    for row in rows:
        names = [child.tag for child in row]
        assert names == [name for name in columns if name in names], f"{names} for {columns}"
        for child in row:
            _check_value(table, child)


def _check_expression(table: str, expression: ET.Element) -> None:
    names = [child.tag for child in expression]
    assert any(names == [one for one in sequence if one in names] for sequence in _EXPRESSION_PARTS), names
    assert expression.findtext("Condition") in {"GT", "GE", "LT", "LE", "EQ", "NE"}
    assert expression.findtext("AndOr", "And") in {"And", "Or"}
    kind = kind_of(table, expression.findtext("Column", ""))
    value = expression.findtext("Value", "")
    if kind == "day":
        assert re.fullmatch(_DAY, value), value
    elif kind == "number":
        assert re.fullmatch(_LITERALS["number"], value), value


def _check_value(table: str, child: ET.Element) -> None:
    # A whole row may hold columns that the introspections left out.
    kind = kind_of(table, child.tag) if child.tag in tables().get(table, {}) else None
    text = child.text or ""
    if kind == "day":
        assert re.fullmatch(rf"(?:{_DAY})?", text), f"{table}.{child.tag}: {text}"
    elif kind == "number":
        assert re.fullmatch(r" *-?\d+(\.\d+)?", text), f"{table}.{child.tag}: {text!r}"
    assert kind != "stamp", f"{table}.{child.tag} is a rowversion"


# -- SOAP -------------------------------------------------------------------------------------------------------------


def check_soap(
    service: str, method: str, query: str, request: bytes, action: str, status: int, response: bytes
) -> None:
    """One call of an ASMX service, or its description."""
    known = wsdl(service.capitalize())
    if method == "GET":
        assert query.lower() in {"wsdl", ""}
        if query:
            described = read_wsdl(response)
            assert described["actions"] == known["actions"]
            assert described["elements"] == known["elements"]
        return
    space = f"{{{known['namespace']}}}"
    operation = action.strip('"').removeprefix(known["namespace"])
    assert known["actions"].get(operation) == action.strip('"'), f"SOAPAction {action}"
    call = ET.fromstring(request).find(f"{ENVELOPE}Body/{space}{operation}")
    assert call is not None, f"the body does not hold {operation}"
    parameters = known["elements"][operation]
    names = [child.tag.removeprefix(space) for child in call]
    assert names == [name for name, _, _ in parameters if name in names], f"{operation}: {names}"
    for name, kind, least in parameters:
        value = call.findtext(f"{space}{name}")
        assert value is not None or least == "0", f"{operation} lacks {name}"
        if kind.startswith("tns:"):
            assert value in known["enumerations"][kind[4:]], f"{name} is {value}"
    body = ET.fromstring(response).find(f"{ENVELOPE}Body")
    assert body is not None
    if status == 200:
        result = body.find(f"{space}{operation}Response/{space}{operation}Result")
        assert result is not None, "the result is missing"
        if operation in {"Query", "Fetch", "Browse"} and not (result.text or "").startswith("ERROR"):
            xml = call.findtext(f"{space}XMLIn", "")
            name = call.findtext(f"{space}BusinessObject", "")
            check_document(f"query/{operation.lower()}", name, xml, _as_sent(result.text or ""))
    else:
        assert status == 500, status
        assert body.findtext(f"{ENVELOPE}Fault/faultcode"), "a fault has a code"
        assert body.findtext(f"{ENVELOPE}Fault/faultstring"), "a fault has a text"


def _as_sent(document: str) -> bytes:
    return document.encode("cp1252", "xmlcharrefreplace")


# -- OData ------------------------------------------------------------------------------------------------------------


def check_odata(entity: str, query: str, status: int, body: bytes) -> None:
    """One request to an entity set that bears its table's name, or to `$metadata`."""
    if status != 200:
        if not _is_html(body):
            error = json.loads(body)
            assert error.keys() == {"error"}, sorted(error)
            assert {"code", "message"} <= error["error"].keys()
        return
    if entity == "$metadata":
        check_metadata(body)
        return
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    options = dict(pairs)
    assert len(pairs) == len(options), f"an option twice: {query}"
    assert options.keys() <= OPTIONS, f"not established: {sorted(options.keys() - OPTIONS)}"
    chosen = [name.strip() for name in options.get("$select", "").split(",") if name.strip()]
    for name in chosen:
        kind_of(entity, name)
    for part in filter(None, options.get("$orderby", "").split(",")):
        name, _, direction = part.strip().partition(" ")
        assert kind_of(entity, name) != "stamp", "a rowversion has no order"
        assert direction in {"", "asc", "desc"}, part
    for name in {"$top", "$skip"} & options.keys():
        assert options[name].isdigit(), f"{name}={options[name]}"
    if "$filter" in options:
        _check_filter(entity, options["$filter"])
    answer = json.loads(body)
    assert {"@odata.context", "value"} <= answer.keys() <= {"@odata.context", "value", "@odata.nextLink"}
    assert len(answer["value"]) <= int(options.get("$top", len(answer["value"])))
    for row in answer["value"]:
        assert not chosen or row.keys() == set(chosen), "other properties than selected"
        for name, value in row.items():
            _check_json(entity, name, value)


def _check_filter(entity: str, text: str) -> None:
    position, depth, conditions = 0, 0, 0
    while position < len(text):
        if match := _FUNCTION.match(text, position):
            assert kind_of(entity, match["column"]) in {"text", None}, match[0]
            conditions += 1
        elif match := _CONDITION.match(text, position):
            kind = kind_of(entity, match["column"])
            assert kind != "stamp", f"a rowversion is not comparable: {match[0]}"
            assert kind is None or re.fullmatch(_LITERALS[kind], match["literal"]), (
                f"not a literal of {kind}: {match[0]}"
            )
            conditions += 1
        else:
            match = _GLUE.match(text, position)
            assert match, f"not a filter, from {position}: {text!r}"
            depth += match[0].count("(") - match[0].count(")")
            assert depth >= 0, f"unbalanced: {text!r}"
        position = match.end()
    assert depth == 0, f"unbalanced: {text!r}"
    assert conditions, f"no condition: {text!r}"


def _check_json(entity: str, name: str, value: Any) -> None:
    kind = kind_of(entity, name)
    if kind == "text":
        assert isinstance(value, str), f"{entity}.{name}: {value!r}"
        size = int(re.findall(r"\d+", tables()[entity][name]["sql_type"])[0]) if "(" in _type(entity, name) else 255
        assert 1 <= len(value) <= size, f"{entity}.{name}: {len(value)} characters of {size}"
    elif kind == "number":
        assert isinstance(value, (int, float, str)), f"{entity}.{name}: {value!r}"
        assert re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", str(value)), value
    elif kind == "day":
        assert value is None or re.fullmatch(_LITERALS["day"], value), f"{entity}.{name}: {value!r}"
    elif kind == "stamp":
        assert re.fullmatch(r"[A-Za-z0-9_-]{11}=", value), f"{entity}.{name}: {value!r}"


def _type(table: str, column: str) -> str:
    return tables()[table][column]["sql_type"]


def check_metadata(body: bytes) -> None:
    """Every entity set has a type with a key, and types that fit the SQL types."""
    space = "{http://docs.oasis-open.org/odata/ns/edm}"
    root = ET.fromstring(body)
    schema = next(root.iter(f"{space}Schema"))
    types = {f"{schema.get('Namespace')}.{one.get('Name')}": one for one in schema.findall(f"{space}EntityType")}
    expected = {
        "text": {"Edm.String"},
        "number": {"Edm.Decimal"},
        "day": {"Edm.DateTimeOffset", "Edm.Date"},
        "stamp": {"Edm.Binary"},
    }
    sets = list(schema.iter(f"{space}EntitySet"))
    assert sets
    for one in sets:
        kind, name = types[one.get("EntityType", "")], one.get("Name", "")
        keys = {key.get("Name") for key in kind.iter(f"{space}PropertyRef")}
        known = tables().get(name)
        for entry in kind.findall(f"{space}Property"):
            if known is not None and entry.get("Name") in known:
                sort = kind_of(name, entry.get("Name", ""))
                assert entry.get("Type") in expected[sort or ""], (name, entry.attrib)
        assert known is None or not (own := {c for c, row in known.items() if row["primary_key"] == "Y"}) or own == keys
