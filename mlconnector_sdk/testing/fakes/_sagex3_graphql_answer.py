"""Turns selections of a GraphQL document into functions that write rows, once per request.

Field by field, as the general executor goes, a page of five hundred customers would take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import attrs
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    GraphQLString,
    InlineFragmentNode,
    SelectionNode,
)
from graphql.execution.values import get_argument_values, get_directive_values

from ._sagex3_graphql_paging import Page, Pages
from ._sagex3_graphql_rows import RowLike
from ._sagex3_graphql_types import PAGE_ARGUMENTS, Info
from ._sagex3_schema import Node, Property

__all__ = ["Answer", "not_authorized"]

Path: TypeAlias = tuple[str | int, ...]
Write: TypeAlias = Callable[[RowLike, Path], Any]
WritePage: TypeAlias = Callable[[Page, Path], dict[str, Any]]
Selected: TypeAlias = dict[str, list[FieldNode]]

_QUERY = GraphQLField(GraphQLString, PAGE_ARGUMENTS)


def not_authorized(node: Node, fields: list[FieldNode], path: Iterable[str | int]) -> GraphQLError:
    """The error of a node whose read right the user's role lacks."""
    diagnosis = {"severity": 3, "message": "not authorized", "path": []}
    extensions = {"diagnoses": [diagnosis]}
    return GraphQLError(f"{node.type}.read is not authorized", fields, path=list(path), extensions=extensions)


@attrs.define
class Answer:
    """Writes what one operation selects.

    Attributes:
        denied: names of nodes that may not be read.
        errors: grows while rows are written.
    """

    pages: Pages
    info: Info
    denied: frozenset[str]
    errors: list[GraphQLError]

    def page(self, node: Node, fields: list[FieldNode]) -> WritePage:
        """Writes a connection."""
        parts: list[tuple[str, Callable[[Page, Path], Any]]] = []
        for key, nodes in self._fields(fields).items():
            name = nodes[0].name.value
            if name == "edges":
                parts.append((key, self._edges(node, nodes)))
            elif name == "pageInfo":
                parts.append((key, self._page_info(nodes)))
            elif name == "totalCount":
                parts.append((key, lambda page, path: page.total))
            else:
                parts.append((key, _constant(f"{node.type}_Connection")))
        return lambda page, path: {key: write(page, (*path, key)) for key, write in parts}

    def _edges(self, node: Node, fields: list[FieldNode]) -> Callable[[Page, Path], Any]:
        parts: list[tuple[str, str, Write | None]] = []
        for key, nodes in self._fields(fields).items():
            name = nodes[0].name.value
            parts.append((key, name, self.row(node, nodes) if name == "node" else None))

        def edge(page: Page, row: RowLike, path: Path) -> dict[str, Any]:
            written: dict[str, Any] = {}
            for key, name, write in parts:
                if write is not None:
                    written[key] = write(row, (*path, key))
                else:
                    written[key] = page.cursor(row) if name == "cursor" else f"{node.type}_Edge"
            return written

        return lambda page, path: [edge(page, row, (*path, i)) for i, row in enumerate(page.rows)]

    def _page_info(self, fields: list[FieldNode]) -> Callable[[Page, Path], Any]:
        names = {key: nodes[0].name.value for key, nodes in self._fields(fields).items()}

        def write(page: Page, path: Path) -> dict[str, Any]:
            values = {
                "hasNextPage": page.after,
                "hasPreviousPage": page.before,
                "startCursor": page.cursor(page.rows[0]) if page.rows else None,
                "endCursor": page.cursor(page.rows[-1]) if page.rows else None,
                "__typename": "PageInfo",
            }
            return {key: values[name] for key, name in names.items()}

        return write

    def row(self, node: Node, fields: list[FieldNode]) -> Write:
        """Writes a row of a node."""
        plain: list[tuple[str, Callable[[RowLike], Any] | None, Write | None]] = []
        for key, nodes in self._fields(fields).items():
            name = nodes[0].name.value
            if name == "__typename":
                plain.append((key, lambda row: node.type, None))
            elif name == "_access":
                plain.append((key, lambda row: [], None))
            elif name == "_id":
                plain.append((key, self.pages.folder.identifier(node), None))
            elif (prop := node.properties[name]).kind == "value" and prop.type != "Text":
                plain.append((key, self.pages.folder.output(node, prop), None))
            else:
                plain.append((key, None, self._nested(node, prop, nodes)))

        def write(row: RowLike, path: Path) -> dict[str, Any]:
            written = {}
            for key, read, deeper in plain:
                written[key] = read(row) if read is not None else deeper(row, (*path, key)) if deeper else None
            return written

        return write

    def _nested(self, node: Node, prop: Property, fields: list[FieldNode]) -> Write:
        if prop.kind == "value":
            return self._text(node, prop, fields)
        goal = self.pages.folder.node(prop.type)
        if goal.name in self.denied:
            return self._refused(goal, fields)
        return self._reference(node, prop, fields) if prop.kind == "reference" else self._collection(node, prop, fields)

    def _refused(self, goal: Node, fields: list[FieldNode]) -> Write:
        def write(row: RowLike, path: Path) -> None:
            self.errors.append(not_authorized(goal, fields, path))

        return write

    def _text(self, node: Node, prop: Property, fields: list[FieldNode]) -> Write:
        read = self.pages.folder.value(node, prop)
        names = {key: nodes[0].name.value for key, nodes in self._fields(fields).items()}

        def write(row: RowLike, path: Path) -> dict[str, Any] | None:
            value = read(row)
            return {key: value if name == "value" else "_OutputTextStream" for key, name in names.items()}

        return write

    def _reference(self, node: Node, prop: Property, fields: list[FieldNode]) -> Write:
        follow = self.pages.folder.target(node, prop)
        inner = self.row(self.pages.folder.node(prop.type), fields)

        def write(row: RowLike, path: Path) -> Any:
            found = follow(row)
            return None if found is None else inner(found, path)

        return write

    def _collection(self, node: Node, prop: Property, fields: list[FieldNode]) -> Write:
        goal = self.pages.folder.node(prop.type)
        parts: list[tuple[str, Callable[[RowLike], Page] | None, WritePage | None]] = []
        for key, nodes in self._fields(fields).items():
            if nodes[0].name.value == "query":
                arguments = get_argument_values(_QUERY, nodes[0], self.info.variable_values)
                parts.append((key, self.pages.of_collection(node, prop, arguments), self.page(goal, nodes)))
            else:
                parts.append((key, None, None))

        def write(row: RowLike, path: Path) -> dict[str, Any]:
            written: dict[str, Any] = {}
            for key, read, inner in parts:
                found = f"{goal.type}_Collection"
                written[key] = inner(read(row), (*path, key)) if read is not None and inner is not None else found
            return written

        return write

    # -- selections -------------------------------------------------------------------------------------------------

    def _fields(self, fields: list[FieldNode]) -> Selected:
        """Fields by their key in the answer; fragments spread, what is skipped left out."""
        found: Selected = {}
        for field in fields:
            assert field.selection_set is not None, "a node without selections fits no schema"
            self._collect(field.selection_set.selections, found)
        return found

    def _collect(self, selections: Iterable[SelectionNode], found: Selected) -> None:
        for selection in selections:
            if not self._wanted(selection):
                continue
            if isinstance(selection, FieldNode):
                key = selection.alias.value if selection.alias else selection.name.value
                found.setdefault(key, []).append(selection)
            elif isinstance(selection, FragmentSpreadNode):
                self._collect(self.info.fragments[selection.name.value].selection_set.selections, found)
            else:
                assert isinstance(selection, InlineFragmentNode)
                self._collect(selection.selection_set.selections, found)

    def _wanted(self, selection: SelectionNode) -> bool:
        if not selection.directives:
            return True
        values = self.info.variable_values
        skip = get_directive_values(GraphQLSkipDirective, selection, values)
        include = get_directive_values(GraphQLIncludeDirective, selection, values)
        return not (skip and skip["if"]) and (include is None or bool(include["if"]))


def _constant(value: Any) -> Callable[[Page, Path], Any]:
    return lambda page, path: value
