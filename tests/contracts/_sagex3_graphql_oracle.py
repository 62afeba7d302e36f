"""Judges single exchanges with Sage X3's GraphQL against what the vendor publishes, apart from our fake's behaviour.

Properties are those of the vendor's reference, scalars are written as its examples write them. The fake's schema serves
only to tell which property belongs to which node; `check_schema` holds it against the reference first.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    parse,
    validate,
    visit,
)

from mlconnector_sdk.testing import LoggedRequest, Request
from mlconnector_sdk.testing.fakes._sagex3_graphql_types import schemas

_SCALARS = {
    "Boolean": lambda value: isinstance(value, bool),
    "Int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "String": lambda value: isinstance(value, str),
    "Id": lambda value: isinstance(value, str) and value != "",
    "Decimal": lambda value: isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value),
    "Date": lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value),
    "Datetime": lambda value: isinstance(value, str) and re.fullmatch(r"[\d-]{10}T[\d:]{8}(\.\d{3})?Z", value),
}
_OPERATORS = set("_eq _ne _gt _gte _lt _lte _regex _and _or _in _nin _every _none _atLeast _atMost".split())
_CURSOR = re.compile(r"\[.*\]#\d+", re.DOTALL)
_MOST_ROWS = 1000


def spec_folder() -> Path | None:
    """The folder with what the vendor published, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "sagex3" if root else None


def fixture(name: str) -> Any:
    """An answer in the true shape: JSON as its value, anything else as text."""
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    text = (folder / "fixtures" / name).read_text("utf-8")
    return json.loads(text) if name.endswith(".json") else text.strip()


def sample_documents() -> Iterator[str]:
    """Sage's own sample documents."""
    folder = spec_folder()
    assert folder is not None
    for path in sorted(folder.glob("*.graphql")):
        yield path.read_text("utf-8")


@cache
def reference() -> dict[str, dict[str, Any]]:
    """The vendor's reference by type name: `properties` with their types, and whether the list is `complete`."""
    folder = spec_folder()
    assert folder is not None
    nodes = json.loads((folder / "graphql_nodes_reference.json").read_text("utf-8"))["nodes"]
    found = {}
    for name, node in nodes.items():
        short = name.partition(".")[2]
        found[short[0].upper() + short[1:]] = {"complete": node["complete"], "properties": dict(node["properties"])}
    return found


# -- schemas ----------------------------------------------------------------------------------------------------------


def check_schema(introspection: Mapping[str, Any], without: frozenset[str] = frozenset()) -> None:
    """Raise `AssertionError` unless every node that the vendor describes has the described properties and types.

    A schema may have fewer properties, as each release does, and none of the nodes `without`.
    """
    kinds = {kind["name"]: kind for kind in introspection["__schema"]["types"]}
    for name, node in reference().items():
        if name in without:
            continue
        assert name in kinds, f"there is no {name}"
        fields = {field["name"]: field for field in kinds[name]["fields"]}
        assert {"_id", "_etag", "_createStamp", "_updateStamp", "_access"} <= fields.keys(), name
        for field, value in fields.items():
            expected = node["properties"].get(field)
            if expected is None:
                assert not node["complete"], f"the vendor's {name} has no {field}"
                continue
            assert _written(value["type"]) in {expected, f"{expected}_node"}, f"{name}.{field}: {expected}"


def _written(kind: Mapping[str, Any]) -> str:
    """A type as the reference writes it."""
    if kind["kind"] == "NON_NULL":
        return _written(kind["ofType"])
    if kind["kind"] == "LIST":
        return f"[{kind['ofType']['name']}]"
    name = str(kind["name"])
    plain = kind["kind"] != "OBJECT" or name.startswith("_") or name.endswith("_Collection")
    return name if plain else f"{name}_node"


# -- exchanges --------------------------------------------------------------------------------------------------------


def exchanges(log: list[LoggedRequest]) -> Iterator[tuple[Request, int, bytes]]:
    """Requests to the service with status and body of their answers, of a fake whose `keep_bodies` is set."""
    for entry in log:
        if entry.path == "/xtrem/api" or re.fullmatch(r"/v1/service/[^/]+/api", entry.path):
            yield entry.request, entry.status, entry.response_body


def check_graphql_exchange(request: Request, status: int, body: bytes) -> None:
    """Raise `AssertionError` unless request and answer are ones that the vendor's pages describe."""
    sent = check_request(request)
    if status == 401:
        plain = re.fullmatch(rb"Error \d\d: Invalid token|Unauthorized", body)
        assert plain or json.loads(body) == {"message": "Unauthorised"}, body[:80]
        return
    answer = json.loads(body)
    assert answer.keys() <= {"data", "errors", "extensions"}, sorted(answer)
    assert status == 200 or "data" not in answer, f"data with status {status}"
    for error in answer.get("errors", ()):
        assert isinstance(error["message"], str), error
        assert error.keys() <= {"message", "locations", "path", "extensions"}, sorted(error)
    if "data" not in answer:
        assert answer["errors"], "neither data nor errors"
        return
    assert isinstance(answer["extensions"]["diagnoses"], list)
    document = parse(sent["query"])
    check_values(document, schema_of(document), answer["data"])


def check_request(request: Request) -> dict[str, Any]:
    """Raise `AssertionError` unless a client may send this; returns the body."""
    assert request.method == "POST"
    assert request.headers.get("content-type", "").partition(";")[0] == "application/json"
    assert "json" in request.headers.get("accept", "*/*").replace("*/*", "json")
    assert "x-authorization" not in request.headers, "no such header"
    assert re.match(r"(Bearer|Basic) \S", request.headers.get("authorization", "")), "no Authorization"
    assert request.path != "/xtrem/api" or request.headers.get("x-xtrem-endpoint"), "the end point's header is missing"
    assert "?" not in request.raw_path, "nothing goes into the address"
    body = json.loads(request.body)
    assert {"query"} <= body.keys() <= {"query", "variables", "operationName"}, sorted(body)
    document = parse(body["query"])
    schema = schema_of(document)
    faults = validate(schema, document)
    assert not faults, f"not valid against the release's schema: {faults[0].message}"
    _check_properties(document, schema)
    _check_arguments(document, body.get("variables") or {})
    return dict(body)


def schema_of(document: DocumentNode) -> GraphQLSchema:
    """The schema of the release whose packages a document names."""
    names: set[str] = set()

    class Packages(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            names.add(node.name.value)

    visit(document, Packages())
    return schemas("2021" if any(name.startswith("xtremX3") for name in names) else "current").published


def _check_properties(document: DocumentNode, schema: GraphQLSchema) -> None:
    """Every property of a node whose list is complete stands in the vendor's reference."""
    types = TypeInfo(schema)

    class Properties(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent = types.get_parent_type()
            known = reference().get(parent.name) if parent is not None and spec_folder() else None
            name = node.name.value
            if known and known["complete"] and schema is schemas("current").published and name != "__typename":
                assert parent is not None
                assert name in known["properties"], f"the vendor's {parent.name} has no {name}"

    visit(document, TypeInfoVisitor(types, Properties()))


def _check_arguments(document: DocumentNode, variables: Mapping[str, Any]) -> None:
    """Texts go through variables, as strict JSON; the order is total; pages are of a bearable size."""

    class Arguments(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            for argument in node.arguments or ():
                name, value = argument.name.value, argument.value
                if name in {"filter", "orderBy", "after", "_id"}:
                    assert isinstance(value, VariableNode), f"{name} is spliced into the document"
                given = variables.get(value.name.value) if isinstance(value, VariableNode) else None
                if given is not None:
                    _check_argument(name, given)

    visit(document, Arguments())


def _check_argument(name: str, value: Any) -> None:
    if name == "first":
        assert 1 <= value <= _MOST_ROWS, f"pages of {value}"
    elif name == "after":
        assert _CURSOR.fullmatch(value), f"no cursor: {value}"
    elif name == "filter":
        check_filter(json.loads(value))
    elif name == "orderBy":
        order = json.loads(value)
        assert list(order)[-1:] == ["_id"], "an order without _id at its end loses rows that tie"
        assert all(direction in {1, -1} for direction in order.values()), value


def check_filter(value: Any) -> None:
    """Raise `AssertionError` unless a filter uses only operators that the vendor's guides have."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        for name, inner in one.items():
            assert not name.startswith("$"), f"{name} is of the dialect of 2020"
            if name.startswith("_"):
                assert name in _OPERATORS | {"_id", "_createStamp", "_updateStamp", "_etag"}, f"no operator {name}"
            check_filter(inner)


# -- values -----------------------------------------------------------------------------------------------------------


def check_values(document: DocumentNode, schema: GraphQLSchema, data: Mapping[str, Any]) -> None:
    """Raise `AssertionError` unless every value of an answer is written as its scalar is."""
    wanted: dict[str, set[str]] = {}
    types = TypeInfo(schema)

    class Leaves(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            kind = types.get_type()
            parent = types.get_parent_type()
            if kind is None or parent is None or parent.name.startswith("__") or node.name.value.startswith("__"):
                return
            named = get_named_type(kind)
            if not isinstance(named, GraphQLObjectType):
                label = "enum" if isinstance(named, GraphQLEnumType) else named.name
                wanted.setdefault(node.alias.value if node.alias else node.name.value, set()).add(label)

    visit(document, TypeInfoVisitor(types, Leaves()))
    for name, value in _leaves(data):
        kinds = wanted.get(name)
        if kinds is not None and value is not None:
            assert any(_fits(kind, value) for kind in kinds), f"{name} is {value!r}, not of {sorted(kinds)}"
        if name in {"cursor", "startCursor", "endCursor"} and value is not None:
            assert _CURSOR.fullmatch(value), value


def _fits(kind: str, value: Any) -> bool:
    if kind == "enum":
        return isinstance(value, str) and re.fullmatch(r"[a-z][A-Za-z0-9]*", value) is not None
    return bool(_SCALARS[kind](value))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def outline(value: Any) -> Any:
    """The nesting of an answer: names, and types of values; what is null in one row takes its form from another."""
    if isinstance(value, dict):
        return {name: outline(inner) for name, inner in value.items()}
    if isinstance(value, list):
        merged: Any = None
        for inner in value:
            merged = _merged(merged, outline(inner))
        return [merged]
    return None if value is None else type(value).__name__


def _merged(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: _merged(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    return one
