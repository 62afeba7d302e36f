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

_NO_PART: Row = {}
"""Stands for a part that a node does not have."""


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
    _values: _Values = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: _Values(self.plan.fields), takes_self=True)
    )
    _line_values: _Values = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: _Values(self.plan.lines.fields if self.plan.lines else ()), takes_self=True),
    )
    _collections: tuple[tuple[tuple[Step, ...], Selection], ...] = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: tuple(_collections_in((), self.selection)), takes_self=True),
    )

    def row(self, node: Row) -> Row:
        """A node as a row; where something of it was cut off, the node is kept in it."""
        plan = self.plan
        row = {"_id": node.get("_id"), **self._values.of(node)}
        if plan.lines is not None:
            lines = _below([node], (plan.lines.step,))
            row[plan.lines.name] = [{**_LINE, **self._line_values.of(line)} for line in lines if isinstance(line, dict)]
        if self._collections and next(self.cut_off(node), None) is not None:
            row[MORE] = node
        return row

    def cut_off(self, node: Mapping[str, Any]) -> Iterator[tuple[tuple[Step, ...], Selection]]:
        """The collections of a node that go on, each as the way to it and what is read of its rows."""
        for way, below in self._collections:
            part = part_at(node, way)
            info = part.get("pageInfo") if isinstance(part, dict) else None
            if isinstance(info, dict) and info.get("hasNextPage") is True:
                yield way, below


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


def _collections_in(way: tuple[Step, ...], chosen: Selection) -> Iterator[tuple[tuple[Step, ...], Selection]]:
    """Those that are reached without going through another one."""
    for step, below in chosen.items():
        if step.many:
            yield (*way, step), below
        else:
            yield from _collections_in((*way, step), below)


class _Values:
    """Reads fields of nodes. What lies on the way to several of them is looked up once."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._codes = [field.code for field in fields]
        self._numbers: dict[tuple[str, ...], int] = {(): 0}
        # Each part of a node by the number of the part that holds it, and its name there.
        self._parts: list[tuple[int, str]] = []
        plain = [(field.code, field.places[0]) for field in fields if field.is_plain]
        self._plain = [(code, self._number(_names(place.steps)), place.leaves[0]) for code, place in plain]
        self._spare = [
            (code, self._number(_names(place.steps)), place.leaves) for code, place in plain if place.leaves[1:]
        ]
        self._several = [
            (field.code, [self._occurrence(place) for place in field.places]) for field in fields if not field.is_plain
        ]

    def of(self, node: Mapping[str, Any]) -> Row:
        """The values by code; `None` where there is none."""
        parts: list[Mapping[str, Any]] = [node]
        for holder, name in self._parts:
            part = parts[holder].get(name)
            parts.append(part if isinstance(part, dict) else _NO_PART)
        row: Row = dict.fromkeys(self._codes)
        for code, number, leaf in self._plain:
            row[code] = parts[number].get(leaf)
        for code, number, leaves in self._spare:
            row[code] = _filled(leaves, parts[number])
        for code, occurrences in self._several:
            row[code] = values = []
            for number, further, leaves in occurrences:
                part = parts[number]
                found = [part] if further is None else _below(_nodes(part), further)
                values += [_filled(leaves, one) for one in found if isinstance(one, dict) and one is not _NO_PART]
        return row

    def _number(self, way: tuple[str, ...]) -> int:
        if way not in self._numbers:
            self._parts.append((self._number(way[:-1]), way[-1]))
            self._numbers[way] = len(self._parts)
        return self._numbers[way]

    def _occurrence(self, place: Place) -> tuple[int, tuple[Step, ...] | None, tuple[str, ...]]:
        """The part with the value; or the `query` of the first collection, and the way on from its rows."""
        first = next((number for number, step in enumerate(place.steps) if step.many), None)
        if first is None:
            return self._number(_names(place.steps)), None, place.leaves
        way = (*_names(place.steps[: first + 1]), "query")
        return self._number(way), place.steps[first + 1 :], place.leaves


def _names(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)


def _filled(leaves: Sequence[str], node: Mapping[str, Any]) -> Any:
    value = None
    for leaf in leaves:
        value = node.get(leaf)
        if value is not None and value != "":
            break
    return value


def _below(found: list[Any], steps: Sequence[Step]) -> list[Any]:
    for step in steps:
        found = [one.get(step.name) for one in found if isinstance(one, dict)]
        if step.many:
            found = [row for one in found if isinstance(one, dict) for row in _nodes(one.get("query"))]
    return found


def _nodes(query: Any) -> list[Any]:
    edges = query.get("edges") if isinstance(query, dict) else None
    return [edge.get("node") for edge in edges or () if isinstance(edge, dict)]
