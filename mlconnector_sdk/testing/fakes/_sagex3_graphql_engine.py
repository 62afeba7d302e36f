"""Runs GraphQL documents over a fake Sage X3 folder: parsing and checking by graphql-core, rows by our own hand."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute,
    parse,
    validate,
)

from ._sagex3_graphql_answer import Answer, not_authorized
from ._sagex3_graphql_filter import QueryError
from ._sagex3_graphql_paging import Pages
from ._sagex3_graphql_types import Info, schemas
from ._sagex3_schema import Node

__all__ = ["Engine", "Outcome"]

_REMEMBERED = 256
_QUOTED = re.compile(r"'([^']*)'")
_SCHEMA = {"__schema", "__type"}


@attrs.frozen
class Outcome:
    """What came of a document: `checked` is false if it was refused before anything was read."""

    body: dict[str, Any]
    checked: bool = True


class Engine:
    """Answers documents of one release; documents and introspections are remembered."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self._schemas = schemas(pages.folder.release.name)
        self._documents: dict[str, tuple[DocumentNode | None, list[GraphQLError]]] = {}
        self._shown: dict[tuple[str, str], dict[str, Any] | None] = {}

    def run(
        self, text: str, variables: dict[str, Any], operation: str | None, denied: frozenset[str] = frozenset()
    ) -> Outcome:
        """The answer's body, as JSON holds it."""
        document, faults = self._document(text)
        if document is None or faults:
            return Outcome({"errors": [_as_javascript(fault) for fault in faults], "extensions": {}}, checked=False)
        shown = self._introspected(text, document, variables, operation)
        if shown is not None and _asks_only(document):
            return Outcome({"data": shown, "extensions": {"diagnoses": []}})
        call = _Call(self.pages, denied)
        result = _run(self._schemas.executed, document, variables, operation, call)
        errors = [*(result.errors or ()), *call.errors]
        if result.data is None or call.refused:
            extensions: dict[str, Any] = {"diagnoses": []} if call.refused else {}
            form = _formatted if call.refused else _as_javascript
            return Outcome({"errors": [form(error) for error in errors], "extensions": extensions}, call.refused)
        answer: dict[str, Any] = {"data": result.data | (shown or {})}
        if errors:
            answer["errors"] = [_formatted(error) for error in errors]
        return Outcome(answer | {"extensions": {"diagnoses": []}})

    def _document(self, text: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
        if text not in self._documents:
            if len(self._documents) >= _REMEMBERED:
                self._documents.clear()
            self._documents[text] = self._checked(text)
        return self._documents[text]

    def _checked(self, text: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
        try:
            document = parse(text)
        except GraphQLSyntaxError as error:
            return None, [error]
        return document, list(validate(self._schemas.published, document))

    def _introspected(
        self, text: str, document: DocumentNode, variables: dict[str, Any], operation: str | None
    ) -> dict[str, Any] | None:
        """What the document asks of the schema itself; `None` if it does not, or cannot be run."""
        keys = _schema_keys(document)
        if not keys:
            return None
        place = (text, json.dumps([variables, operation], sort_keys=True, default=str))
        if place not in self._shown:
            if len(self._shown) >= _REMEMBERED:
                self._shown.clear()
            data = _run(self._schemas.published, document, variables, operation, _nothing).data
            self._shown[place] = None if data is None else {key: data[key] for key in data if key in keys}
        return self._shown[place]


class _Call:
    """The operations of one request, and the errors that they met."""

    def __init__(self, pages: Pages, denied: frozenset[str]) -> None:
        self.pages = pages
        self.denied = denied
        self.errors: list[GraphQLError] = []
        self.refused = False

    def __call__(self, node: Node, name: str, info: Info, arguments: dict[str, Any]) -> Any:
        path = tuple(info.path.as_list())
        fields = list(info.field_nodes)
        if node.name in self.denied:
            raise not_authorized(node, fields, path)
        answer = Answer(self.pages, info, self.denied, self.errors)
        try:
            if name == "query":
                return answer.page(node, fields)(self.pages.of_node(node, arguments), path)
            write = answer.row(node, fields)
            row = self.pages.folder.by_id(node, str(arguments["_id"]))
        except QueryError as error:
            self.refused = True
            diagnosis = {"severity": 3, "message": str(error), "path": []}
            raise GraphQLError(str(error), fields, path=path, extensions={"diagnoses": [diagnosis]}) from None
        return None if row is None else write(row, path)


def _nothing(node: Node, name: str, info: Info, arguments: dict[str, Any]) -> None:
    return None


def _run(
    schema: Any, document: DocumentNode, variables: dict[str, Any], operation: str | None, context: Any
) -> ExecutionResult:
    result = execute(schema, document, variable_values=variables, operation_name=operation, context_value=context)
    assert isinstance(result, ExecutionResult), "no resolver of this fake is asynchronous"
    return result


def _schema_keys(document: DocumentNode) -> set[str]:
    """Keys of the answer that tell of the schema: of fields at the root, where fragments may stand too."""
    kinds = (OperationDefinitionNode, FragmentDefinitionNode)
    sets = [one.selection_set for one in document.definitions if isinstance(one, kinds)]
    return {
        one.alias.value if one.alias else one.name.value
        for selections in sets
        for one in selections.selections
        if isinstance(one, FieldNode) and one.name.value in _SCHEMA
    }


def _asks_only(document: DocumentNode) -> bool:
    """Whether nothing but the schema is asked for."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return all(
        isinstance(one, FieldNode) and one.name.value in _SCHEMA
        for operation in operations
        for one in operation.selection_set.selections
    )


def _formatted(error: GraphQLError) -> dict[str, Any]:
    return dict(error.formatted)


def _as_javascript(error: GraphQLError) -> dict[str, Any]:
    """An error of the engine's own, whose twin puts names in double quotes."""
    return _formatted(error) | {"message": _QUOTED.sub(r'"\1"', error.message)}
