"""Holds single exchanges against an OpenAPI 3.1 document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_HERE = "urn:document"


@attrs.frozen(kw_only=True)
class Exchange:
    """One request and its answer; `path` is percent-encoded and below the document's server."""

    method: str
    path: str
    query: str = ""
    request_headers: dict[str, str] = attrs.field(factory=dict)
    request_body: bytes = b""
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Document:
    """An OpenAPI document that answers what it says of an exchange."""

    def __init__(self, file: Path) -> None:
        text = file.read_text("utf-8")
        self.content: dict[str, Any] = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
        resource = Resource.from_contents(self.content, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_HERE, resource)

    def resolved(self, node: Any) -> Any:
        """A node, or what it refers to."""
        while isinstance(node, dict) and set(node) == {"$ref"}:
            target: Any = self.content
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/")]
            node = target
        return node

    def operations(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every operation by method and address, with all of its parameters by place and name."""
        found = {}
        for address, item in self.content["paths"].items():
            for method in ("get", "patch"):
                if method in item:
                    listed = [
                        self.resolved(one) for one in (*item.get("parameters", ()), *item[method].get("parameters", ()))
                    ]
                    named = {(one["in"], one["name"]): one for one in listed}
                    found[method.upper(), address] = {**item[method], "parameters": named}
        return found

    def problems(self, schema: Any, value: Any) -> list[str]:
        """What a schema of this document says against a value."""
        validator = Draft202012Validator(_absolute(schema), registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def operation_of(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
        """The operation behind an address, and the path's parameters; the most exact address wins."""
        candidates = []
        for (known, address), operation in self.operations().items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", address)
            if known == method and (found := re.fullmatch(pattern, path)):
                candidates.append((address.count("{"), operation, found.groupdict()))
        if not candidates:
            return None
        _, operation, values = min(candidates, key=lambda one: one[0])
        return operation, {name: unquote(value) for name, value in values.items()}

    def complaints(self, exchange: Exchange, *, request_too: bool = True) -> list[str]:
        """What the document says against an exchange; `request_too` also judges what was asked."""
        found = self.operation_of(exchange.method, exchange.path)
        if found is None:
            return [f"no operation for {exchange.method} {exchange.path}"]
        operation, values = found
        complaints = self._against_request(operation, values, exchange) if request_too else []
        answers = operation["responses"]
        answer = self.resolved(answers.get(str(exchange.status), answers.get("default")))
        if answer is None:
            return [*complaints, f"status {exchange.status} is not described"]
        for name, header in answer.get("headers", {}).items():
            if name.lower() in exchange.headers:
                value = _typed(self.resolved(header)["schema"], exchange.headers[name.lower()])
                complaints += self.problems(self.resolved(header)["schema"], value)
            elif str(exchange.status) in answers:
                complaints.append(f"status {exchange.status} lacks the header {name}")
        schema = answer["content"]["application/json"]["schema"]
        return complaints + self.problems(schema, exchange.json())

    def _against_request(self, operation: dict[str, Any], values: dict[str, str], exchange: Exchange) -> list[str]:
        parameters = operation["parameters"]
        sent: dict[tuple[str, str], Any] = {("path", name): value for name, value in values.items()}
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            schema = self.resolved(parameters.get(("query", name), {})).get("schema", {})
            if schema.get("type") == "array":
                sent.setdefault(("query", name), []).append(value)
            else:
                sent["query", name] = value
        for place, name in parameters:
            if place == "header" and name.lower() in exchange.request_headers:
                sent[place, name] = exchange.request_headers[name.lower()]
        complaints = [f"unknown parameter {name}" for place, name in sent if (place, name) not in parameters]
        for key, parameter in parameters.items():
            if key in sent:
                complaints += self.problems(parameter["schema"], _typed(parameter["schema"], sent[key]))
            elif parameter.get("required"):
                complaints.append(f"parameter {key[1]} is missing")
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            complaints += self.problems(schema, json.loads(exchange.request_body))
        return complaints


def _typed(schema: dict[str, Any], value: Any) -> Any:
    """What travels as text, as its schema means it."""
    is_number = schema.get("type") == "integer" and isinstance(value, str) and value.lstrip("-").isdigit()
    return int(value) if is_number else value


def _absolute(node: Any) -> Any:
    """A schema whose references name the document, so that it can stand by itself."""
    if isinstance(node, dict):
        return {
            name: f"{_HERE}{value}" if name == "$ref" and value.startswith("#") else _absolute(value)
            for name, value in node.items()
        }
    return [_absolute(one) for one in node] if isinstance(node, list) else node
