"""GraphQL schemas of Sage X3's releases, built with graphql-core from the tables of nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import attrs
from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
)

from ._sagex3_schema import ENUMS, Node, Property, ReleaseName, release

__all__ = ["PAGE_ARGUMENTS", "Info", "Operation", "Schemas", "schemas"]

Info: TypeAlias = "GraphQLResolveInfo[Any]"
"""Of an execution; older versions of graphql-core do not take the type of its context."""

Operation: TypeAlias = "Callable[[Node, str, Info, dict[str, Any]], Any]"
"""Answers `read` or `query` of a node whole, selections included."""

_ID = GraphQLScalarType("Id")
_SCALARS = {
    "String": GraphQLString,
    "Boolean": GraphQLBoolean,
    "Int": GraphQLInt,
    **{name: GraphQLScalarType(name) for name in ("Decimal", "Date", "Datetime")},
}
PAGE_ARGUMENTS = {
    "first": GraphQLArgument(GraphQLInt),
    "after": GraphQLArgument(GraphQLString),
    "filter": GraphQLArgument(GraphQLString),
    "orderBy": GraphQLArgument(GraphQLString),
}
_READ_ARGUMENTS = {"_id": GraphQLArgument(GraphQLNonNull(_ID))}
_WHOLE = GraphQLScalarType("Whole")


@attrs.frozen(kw_only=True)
class Schemas:
    """One release twice.

    Attributes:
        published: what documents are checked against and introspection shows.
        executed: the same down to the operations, whose answers are values without fields: `Operation` makes them
            whole, many times faster than field by field.
    """

    published: GraphQLSchema
    executed: GraphQLSchema


@cache
def schemas(name: ReleaseName) -> Schemas:
    """The schemas of a release; operations are found in the execution's context value."""
    types = _Types(name)
    return Schemas(published=types.schema(executed=False), executed=types.schema(executed=True))


class _Types:
    def __init__(self, name: ReleaseName) -> None:
        self.release = release(name)
        self.enums = {one: GraphQLEnumType(one, {word: word for word in words if word}) for one, words in ENUMS.items()}
        self.page_info = GraphQLObjectType(
            "PageInfo",
            {
                "hasNextPage": GraphQLField(GraphQLNonNull(GraphQLBoolean)),
                "hasPreviousPage": GraphQLField(GraphQLNonNull(GraphQLBoolean)),
                "startCursor": GraphQLField(GraphQLString),
                "endCursor": GraphQLField(GraphQLString),
            },
        )
        self.text = GraphQLObjectType("_OutputTextStream", {"value": GraphQLField(GraphQLString)})
        access = {"name": GraphQLField(GraphQLString), "status": GraphQLField(GraphQLString)}
        self.access = GraphQLList(GraphQLObjectType("_OutputAccessBinding", access))
        self.nodes = {node.name: self._node(node) for node in self.release.nodes.values()}
        self.connections = {name: self._connection(kind) for name, kind in self.nodes.items()}
        self.collections = {name: self._collection(name) for name in self.nodes}

    def schema(self, *, executed: bool) -> GraphQLSchema:
        fields = {}
        for name, nodes in self.release.packages().items():
            kinds = {
                node.name: GraphQLField(self._operations(node, executed=executed), resolve=_same) for node in nodes
            }
            fields[name] = GraphQLField(GraphQLObjectType(f"{name}Query", kinds), resolve=_same)
        return GraphQLSchema(GraphQLObjectType("Query", fields))

    def _operations(self, node: Node, *, executed: bool) -> GraphQLObjectType:
        read: GraphQLOutputType = _WHOLE if executed else self.nodes[node.name]
        query: GraphQLOutputType = _WHOLE if executed else self.connections[node.name]
        return GraphQLObjectType(
            f"{node.type}_Operations",
            {
                "read": GraphQLField(read, _READ_ARGUMENTS, resolve=_operation(node, "read")),
                "query": GraphQLField(query, PAGE_ARGUMENTS, resolve=_operation(node, "query")),
            },
        )

    def _node(self, node: Node) -> GraphQLObjectType:
        def fields() -> dict[str, GraphQLField]:
            own = {
                "_access": GraphQLField(self.access),
                "_id": GraphQLField(GraphQLNonNull(_ID), description="Id"),
            }
            return own | {
                prop.name: GraphQLField(self._property(prop), description=prop.description)
                for prop in node.properties.values()
                if not prop.name.startswith("~")
            }

        return GraphQLObjectType(node.type, fields)

    def _property(self, prop: Property) -> GraphQLOutputType:
        if prop.kind == "reference":
            return self.nodes[prop.type]
        if prop.kind in {"collection", "occurrences"}:
            return self.collections[prop.type]
        if prop.type == "Text":
            return self.text
        return _SCALARS.get(prop.type) or self.enums[prop.type]

    def _connection(self, kind: GraphQLObjectType) -> GraphQLObjectType:
        edge = GraphQLObjectType(
            f"{kind.name}_Edge", {"cursor": GraphQLField(GraphQLString), "node": GraphQLField(kind)}
        )
        return GraphQLObjectType(
            f"{kind.name}_Connection",
            {
                "totalCount": GraphQLField(GraphQLInt),
                "edges": GraphQLField(GraphQLList(edge)),
                "pageInfo": GraphQLField(GraphQLNonNull(self.page_info)),
            },
        )

    def _collection(self, name: str) -> GraphQLObjectType:
        query = GraphQLField(self.connections[name], PAGE_ARGUMENTS)
        return GraphQLObjectType(f"{self.nodes[name].name}_Collection", {"query": query})


def _same(source: Any, info: Info) -> Any:
    return {}


def _operation(node: Node, name: str) -> Callable[..., Any]:
    def resolve(source: Any, info: Info, **arguments: Any) -> Any:
        answer: Operation = info.context
        return answer(node, name, info, arguments)

    return resolve
