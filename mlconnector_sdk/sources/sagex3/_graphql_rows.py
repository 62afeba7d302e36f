"""Nodes of GraphQL answers as rows keyed by field codes, and what is still missing of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from ...errors import ContractError
from .._values import Row
from ._graphql_places import Place, Step
from ._graphql_plans import Field, Plan
from ._graphql_queries import Selection, list_text, select

__all__ = ["MORE", "Rows", "Shape", "page_in", "part_at", "with_rest"]

MORE = "$more"
"""Where a row keeps its node while collections of it were not given whole."""


_LINE = {"ITMREF": None}
"""By this member lines are known, with or without a product."""


@attrs.frozen(kw_only=True)
class Rows:
    """One answer of a list; `cursor` is `None` on the last page."""

    nodes: list[Row] = attrs.field(repr=False)
    cursor: str | None = None


def page_in(query: Any) -> Rows:
    """The nodes of a `query`.

    Raises:
        ContractError: it is none, or names no next page although there is one.
    """
    edges = query.get("edges") if isinstance(query, dict) else None
    if not isinstance(edges, list) or not all(isinstance(edge, dict) for edge in edges):
        raise ContractError("expected a list of records (edges)", reason="no_list")
    info = query.get("pageInfo")
    cursor = None
    if isinstance(info, dict) and info.get("hasNextPage") is True:
        cursor = info.get("endCursor")
        if not (isinstance(cursor, str) and cursor):
            raise ContractError("the server tells of a next page and gives no cursor to it", reason="no_cursor")
    return Rows(nodes=[edge["node"] for edge in edges if isinstance(edge.get("node"), dict)], cursor=cursor)


@attrs.frozen
class Shape:
    """What is asked for of a row, and how the answer becomes one."""

    plan: Plan
    selection: Selection = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: select(self.plan), takes_self=True)
    )
    text: str = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: list_text(self.plan, self.selection), takes_self=True),
    )

    def row(self, node: Row) -> Row:
        """A node as a row; where something of it was cut off, the node is kept in it."""
        plan = self.plan
        row = {"_id": node.get("_id"), **_fields(plan.fields, node)}
        if plan.lines is not None:
            lines = _below(node, (plan.lines.step,))
            row[plan.lines.name] = [
                {**_LINE, **_fields(plan.lines.fields, line)} for line in lines if isinstance(line, dict)
            ]
        if next(self.cut_off(node), None) is not None:
            row[MORE] = node
        return row

    def cut_off(self, node: Mapping[str, Any]) -> Iterator[tuple[tuple[Step, ...], Selection]]:
        """The collections of a node that go on, each as the way to it and what is read of its rows."""
        yield from _going_on((), self.selection, node)


def with_rest(node: Row, way: Sequence[Step], rows: Sequence[Row]) -> Row:
    """The node with all rows of one of its collections."""
    first, *further = way
    if further:
        return {**node, first.name: with_rest(node[first.name], further, rows)}
    return {**node, first.name: {"query": {"edges": [{"node": row} for row in rows]}}}


def part_at(read: Any, way: Sequence[Step]) -> Any:
    """The `query` of a collection in the answer to a `read`; `None` where the row or what leads there is gone."""
    for step in way:
        read = read.get(step.name) if isinstance(read, dict) else None
    return read.get("query") if isinstance(read, dict) else None


def _going_on(
    way: tuple[Step, ...], chosen: Selection, node: Mapping[str, Any]
) -> Iterator[tuple[tuple[Step, ...], Selection]]:
    for step, below in chosen.items():
        inner = node.get(step.name)
        if not below or not isinstance(inner, dict):
            continue
        if not step.many:
            yield from _going_on((*way, step), below, inner)
            continue
        info = (inner.get("query") or {}).get("pageInfo")
        if isinstance(info, dict) and info.get("hasNextPage") is True:
            yield (*way, step), below


def _fields(fields: Sequence[Field], node: Mapping[str, Any]) -> Row:
    return {field.code: _value(field, node) for field in fields}


def _value(field: Field, node: Mapping[str, Any]) -> Any:
    if field.is_plain:
        return _plain(field.places[0], node)
    return [value for place in field.places for value in _at(place, node)]


def _plain(place: Place, node: Mapping[str, Any]) -> Any:
    at: Any = node
    for step in place.steps:
        at = at.get(step.name)
        if not isinstance(at, dict):
            return None
    return _filled(place, at)


def _at(place: Place, node: Mapping[str, Any]) -> list[Any]:
    return [_filled(place, one) for one in _below(node, place.steps) if isinstance(one, dict)]


def _filled(place: Place, node: Mapping[str, Any]) -> Any:
    value = None
    for leaf in place.leaves:
        value = node.get(leaf)
        if value is not None and value != "":
            break
    return value


def _below(node: Mapping[str, Any], steps: Sequence[Step]) -> list[Any]:
    found: list[Any] = [node]
    for step in steps:
        inner = [one.get(step.name) for one in found if isinstance(one, dict)]
        found = [row for one in inner for row in _rows(one)] if step.many else inner
    return found


def _rows(collection: Any) -> list[Any]:
    query = collection.get("query") if isinstance(collection, dict) else None
    edges = query.get("edges") if isinstance(query, dict) else None
    return [edge.get("node") for edge in edges or () if isinstance(edge, dict)]
