"""Judges single exchanges with Sage 100 against the contracts, without looking at our fake, our agent or our client.

`check_soap_exchange` knows operations, members and types from the reconstructed description of the web service;
`check_agent_exchange` knows paths, parameters and shapes from the agent's contract, and the order of its lists from
what a stamp is. Both raise `AssertionError` for anything the contracts do not allow.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema

from mlconnector_sdk.testing import LoggedRequest, Reply, Request

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
SPACE = "http://mas90.sage.com/ws"

AGENT = "/sage100/v1"
SERVICE = ".svc"
EXTENSIONS = {"key", "lineFields"}
"""Parameters that the published contract of the agent adds to the proposal's lists."""

_LEXICAL = {
    "string": re.compile(r".*", re.DOTALL),
    "decimal": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)"),
    "int": re.compile(r"[+-]?\d+"),
    "dateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"),
}

Members = list[tuple[str, str, bool]]
"""Name, type without its prefix, and whether there may be many."""


def spec_folder() -> Path | None:
    """The folder with the contracts, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "sage100" if root else None


def _folder() -> Path:
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    return folder


def sample(name: str) -> bytes:
    """A request or answer in the true shape."""
    return (_folder() / "samples" / name).read_bytes()


@cache
def loaded(name: str) -> Any:
    """A specification in JSON."""
    return json.loads((_folder() / name).read_text(encoding="utf-8"))


def wsdl_path() -> str:
    """Where the reconstructed description lies."""
    return str(_folder() / "ebws_reconstructed.wsdl")


# -- the description of the web service -------------------------------------------------------------------------------


def read_wsdl(*documents: bytes) -> dict[str, Any]:
    """What a description and its schemas say: elements and types with their members, and SOAPActions."""
    found: dict[str, Any] = {"elements": {}, "types": {}, "actions": {}}
    for document in documents:
        root = ET.fromstring(document)
        for schema in root.iter(f"{SCHEMA}schema"):
            if schema.get("targetNamespace") == SPACE:
                _read_schema(schema, found)
        for one in root.findall(f"{WSDL}binding/{WSDL}operation"):
            operation = one.find(f"{SOAP}operation")
            assert operation is not None
            assert operation.get("style", "document") == "document"
            found["actions"][one.get("name")] = operation.get("soapAction")
    return found


def _read_schema(schema: ET.Element, found: dict[str, Any]) -> None:
    assert schema.get("elementFormDefault") == "qualified"
    for kind in schema.findall(f"{SCHEMA}complexType"):
        found["types"][kind.get("name")] = _members(kind)
    for element in schema.findall(f"{SCHEMA}element"):
        inner = element.find(f"{SCHEMA}complexType")
        if inner is not None:
            found["elements"][element.get("name")] = _members(inner)


def _members(kind: ET.Element) -> Members:
    parts = kind.findall(f"{SCHEMA}sequence/{SCHEMA}element")
    return [
        (str(one.get("name")), str(one.get("type")).partition(":")[2], one.get("maxOccurs") == "unbounded")
        for one in parts
    ]


@cache
def contract() -> dict[str, Any]:
    """The reconstructed description."""
    return read_wsdl(Path(wsdl_path()).read_bytes())


# -- SOAP -------------------------------------------------------------------------------------------------------------


def check_soap_exchange(request: Request, reply: Reply) -> None:
    """Raise `AssertionError` unless call and answer fit the description."""
    body = reply.body if isinstance(reply.body, bytes) else str(reply.body or "").encode()
    if request.method == "GET":
        query = urlsplit(request.raw_path).query
        assert re.fullmatch(r"wsdl|xsd=xsd\d+", query, re.IGNORECASE), f"nothing is known behind ?{query}"
        assert reply.status == 200
        return
    assert request.method == "POST"
    assert request.headers.get("content-type", "").startswith("text/xml"), "SOAP 1.1 is text/xml"
    action = request.headers.get("soapaction", "").strip('"')
    operation = next((name for name, known in contract()["actions"].items() if known == action), None)
    assert operation is not None, f"no operation has the action {action}"
    call = _only_child(request.body)
    assert call.tag == f"{{{SPACE}}}{operation}", f"the body holds {call.tag}"
    _check_members(call, contract()["elements"][operation])
    _check_logon(operation, call)
    answer = _only_child(body)
    if reply.status == 200:
        assert answer.tag == f"{{{SPACE}}}{operation}Response", answer.tag
        _check_members(answer, contract()["elements"][f"{operation}Response"])
    else:
        assert reply.status == 500, f"a fault is answered with 500, not {reply.status}"
        check_fault(answer)


def _only_child(document: bytes) -> ET.Element:
    root = ET.fromstring(document)
    assert root.tag == f"{ENVELOPE}Envelope", root.tag
    body = root.find(f"{ENVELOPE}Body")
    assert body is not None
    assert len(body) == 1
    return body[0]


def _check_logon(operation: str, call: ET.Element) -> None:
    if operation in {"GetContractInformation", "GetDiagnosticInformation"}:
        assert len(call) == 0, f"{operation} takes nothing"
        return
    assert call.findtext(f"{{{SPACE}}}logon/{{{SPACE}}}Username"), "a user is needed"
    assert call.findtext(f"{{{SPACE}}}logon/{{{SPACE}}}Password") is not None, "a password is needed"
    assert re.fullmatch(r"[A-Z0-9]{3}", call.findtext(f"{{{SPACE}}}companyCode") or ""), "a company code is needed"


def _check_members(element: ET.Element, members: Members) -> None:
    """Children are members, in the description's order, with values of their types."""
    order = {f"{{{SPACE}}}{name}": place for place, (name, _, _) in enumerate(members)}
    unknown = [child.tag for child in element if child.tag not in order]
    assert not unknown, f"{element.tag} has no {unknown}"
    places = [order[child.tag] for child in element]
    assert places == sorted(places), f"{element.tag}: {[child.tag for child in element]} is out of order"
    for child in element:
        name, kind, many = members[order[child.tag]]
        assert many or places.count(order[child.tag]) == 1, f"{name} stands twice"
        if child.get(NIL) == "true":
            assert not (child.text or "").strip()
            assert len(child) == 0
        elif kind in _LEXICAL:
            assert len(child) == 0, f"{name} is a value"
            assert _LEXICAL[kind].fullmatch(child.text or ""), f"{name} is no {kind}: {child.text!r}"
        else:
            _check_members(child, contract()["types"][kind])


def check_fault(fault: ET.Element) -> None:
    """A SOAP 1.1 fault with a prefixed code, a text, and a detail that repeats both if there is one."""
    assert fault.tag == f"{ENVELOPE}Fault", fault.tag
    code = fault.findtext("faultcode") or ""
    assert re.fullmatch(r"\w+:\w+", code), f"the code has a prefix: {code}"
    text = fault.findtext("faultstring") or ""
    assert text, "a fault has a text"
    detail = fault.find(f"detail/{{{SPACE}}}MasFault")
    if detail is not None:
        _check_members(detail, contract()["types"]["MasFault"])
        assert detail.findtext(f"{{{SPACE}}}ErrorCode") == code.rpartition(":")[2]
        assert text.endswith(detail.findtext(f"{{{SPACE}}}ErrorMessage") or "")


def fault_parts(document: bytes) -> dict[str, str | None]:
    """Code, text, and code and message of the detail."""
    fault = _only_child(document)
    check_fault(fault)
    detail = f"detail/{{{SPACE}}}MasFault/{{{SPACE}}}"
    return {
        "code": (fault.findtext("faultcode") or "").rpartition(":")[2],
        "text": fault.findtext("faultstring"),
        "detail_code": fault.findtext(f"{detail}ErrorCode"),
        "detail_text": fault.findtext(f"{detail}ErrorMessage"),
    }


# -- the agent --------------------------------------------------------------------------------------------------------


def check_agent_exchange(request: Request, reply: Reply) -> None:
    """Raise `AssertionError` unless request and answer fit the agent's contract.

    Paths that the proposal lacks are judged by the shapes that all lists share.
    """
    path = urlsplit(request.raw_path).path
    assert path.startswith(f"{AGENT}/"), path
    authorization = request.headers.get("authorization", "")
    assert reply.status == 401 or re.fullmatch(r"Bearer \S+", authorization), "a bearer token is needed"
    template, operation, parameters = _operation_of(path.removeprefix(AGENT), request.method)
    body = json.loads(reply.body)
    if reply.status != 200:
        _valid({"$ref": "#/components/schemas/Error"}, body)
        if reply.status in {423, 429}:
            assert any(name.lower() == "retry-after" for name in reply.headers), f"{reply.status} says when to retry"
        return
    query = _check_query(template, operation, request)
    if request.method == "PATCH":
        _valid({"$ref": "#/components/schemas/Patch"}, json.loads(request.body))
        assert 1 <= len(request.headers.get("idempotency-key", "")) <= 64, "Idempotency-Key is needed"
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    _valid(schema, _without_lines(body))
    if "records" in body:
        _check_page(body, query, parameters["companyCode"])


def check_logged(entry: LoggedRequest, headers: Mapping[str, str] | None = None) -> None:
    """Judge a line of a fake's log, whichever door it came to; the fake must keep bodies."""
    reply = Reply(entry.status, entry.response_body, headers or {"Retry-After": "1"})
    if urlsplit(entry.request.raw_path).path.startswith(f"{AGENT}/"):
        check_agent_exchange(entry.request, reply)
    else:
        check_soap_exchange(entry.request, reply)


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of paths, those with fewer variables first."""
    paths = sorted(loaded("agent_proposal.openapi.json")["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), path) for path in paths]


def _operation_of(path: str, method: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    paths = loaded("agent_proposal.openapi.json")["paths"]
    for pattern, template in _routes():
        if found := pattern.fullmatch(path):
            assert method.lower() in paths[template], f"{template} does not take {method}"
            values = {name: unquote(value) for name, value in found.groupdict().items()}
            operation: dict[str, Any] = paths[template][method.lower()]
            _check_path(operation, values)
            return template, operation, values
    added = re.fullmatch(r"/companies/(?P<companyCode>[A-Z0-9]{3})/[a-z-]+(?P<keys>/keys)?", path)
    assert added is not None, f"nothing is known of {path}"
    like = "/companies/{companyCode}/customers" + (added["keys"] or "")
    assert method == "GET"
    operation = json.loads(json.dumps(paths[like]["get"]))
    if added["keys"]:
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        schema["properties"]["keys"]["items"] = {"type": "object", "additionalProperties": {"type": "string"}}
    return like, operation, {"companyCode": added["companyCode"]}


def _check_path(operation: Mapping[str, Any], values: Mapping[str, str]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            _valid(parameter["schema"], values[parameter["name"]])


def _check_query(template: str, operation: Mapping[str, Any], request: Request) -> dict[str, str]:
    known = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    pairs = parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True, strict_parsing=False)
    for name, text in pairs:
        assert name in known or name in EXTENSIONS, f"{template} has no parameter {name}"
        if name in known:
            _valid(known[name], int(text) if known[name].get("type") == "integer" else text)
    query = dict(pairs)
    assert "sinceTime" not in query or "sinceDate" in query, "sinceTime needs sinceDate"
    return query


def _valid(schema: Mapping[str, Any], instance: Any) -> None:
    components = loaded("agent_proposal.openapi.json")["components"]
    try:
        jsonschema.Draft202012Validator({**schema, "components": components}).validate(instance)
    except jsonschema.ValidationError as error:
        raise AssertionError(f"{error.json_path}: {error.message}") from None


def _without_lines(body: Any) -> Any:
    """Records without their embedded lines, whose values must be plain as well."""
    if not isinstance(body, dict) or "records" not in body:
        return body
    for record in body["records"]:
        for line in record.get("Lines", ()):
            assert all(isinstance(value, str | int | float) for value in line.values()), line
    plain = [{name: value for name, value in record.items() if name != "Lines"} for record in body["records"]]
    return {**body, "records": plain}


def _check_page(body: Mapping[str, Any], query: Mapping[str, str], company: str) -> None:
    """One page: of the company, in order, not before the bound, not longer than asked for."""
    records = body["records"]
    assert body["companyCode"] == company
    if "key" not in query:
        assert len(records) <= int(query.get("limit", 250)), "more records than asked for"
    stamps = []
    for record in records:
        pairs = [
            (record[f"Date{which}"], Decimal(record[f"Time{which}"] or 0))
            for which in ("Created", "Updated")
            if f"Date{which}" in record
        ]
        assert len(pairs) == 2, "stamps are always returned"
        stamp = (record["_stamp"]["date"], Decimal(record["_stamp"]["time"] or 0))
        assert stamp == max(pairs), f"{record['_stamp']} is not the later of {pairs}"
        stamps.append(stamp)
    if "key" not in query:
        assert stamps == sorted(stamps), "records are in the order of their stamps, times compared as numbers"
        if "cursor" not in query and "sinceDate" in query:
            since = (query["sinceDate"], Decimal(query.get("sinceTime", "0")))
            assert all(stamp >= since for stamp in stamps), f"a record from before {since}"
    for record in records:
        for value in record.values():
            assert not isinstance(value, str) or value == value.rstrip("\0 "), f"padding was left: {value!r}"
