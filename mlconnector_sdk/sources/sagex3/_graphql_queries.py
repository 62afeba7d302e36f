"""Texts of GraphQL documents, and of the filters and orders that go with them. Pure.

Filters and orders are strict JSON in variables: nothing that a record holds gets into a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from ._api import Condition
from ._graphql_places import Place, Step
from ._graphql_plans import LinesPlan, Plan
from ._graphql_schema import Node

__all__ = [
    "BY_KEY",
    "NOW",
    "Selection",
    "all_of",
    "by_ways",
    "changed_since",
    "list_text",
    "order",
    "rest_text",
    "select",
]

Selection: TypeAlias = dict[Step, "Selection"]
"""Properties to ask for, each with those below it."""

NOW = "query Now { __typename }"

BY_KEY = '{"_id":1}'
"""A cursor holds the values of the order, so that rows which tie would be passed over without the key at its end."""

_SLOTS = 10
"""Occurrences of one field; X3 has five at the most."""

_MENUS: Mapping[tuple[str, int], str] = {("BPATYP", 1): "businessPartner"}
"""Numbers of local menus as GraphQL names them."""

# -- documents --------------------------------------------------------------------------------------------------------


def select(plan: Plan) -> Selection:
    """Everything that a plan reads of a row."""
    chosen: Selection = {Step("_id"): {}}
    for field in plan.fields:
        _add(chosen, field.places)
    if plan.lines is not None:
        inner: Selection = {Step("_id"): {}}
        for field in plan.lines.fields:
            _add(inner, field.places)
        chosen[plan.lines.step] = inner
    return chosen


def list_text(plan: Plan, chosen: Selection) -> str:
    """The document of a list: one page after a cursor, with so many lines of each document."""
    heads = "$first: Int!, $after: String, $filter: String, $orderBy: String"
    if plan.lines is not None:
        heads += ", $lines: Int!"
    arguments = "first: $first, after: $after, filter: $filter, orderBy: $orderBy"
    page = f"edges {{ node {_rendered(chosen, plan.lines)} }} pageInfo {{ hasNextPage endCursor }}"
    return f"query List({heads}) {_nested(plan.node, f'query({arguments}) {{ {page} }}')}"


def rest_text(node: Node, way: Sequence[Step], below: Selection) -> str:
    """The document of one row's collection: one page after a cursor."""
    heads = "$id: Id!, $first: Int!, $after: String, $orderBy: String"
    page = f"edges {{ node {_rendered(below)} }} pageInfo {{ hasNextPage endCursor }}"
    text = f"{{ query(first: $first, after: $after, orderBy: $orderBy) {{ {page} }} }}"
    for step in reversed(way):
        text = f"{{ {step.name} {text} }}"
    return f"query Rest({heads}) {_nested(node, f'read(_id: $id) {text}')}"


def _nested(node: Node, operation: str) -> str:
    return f"{{ {node.package} {{ {node.name} {{ {operation} }} }} }}"


def _add(chosen: Selection, places: Iterable[Place]) -> None:
    for place in places:
        below = chosen
        for step in place.steps:
            below = below.setdefault(step, {})
        for leaf in place.leaves:
            below.setdefault(Step(leaf), {})


def _rendered(chosen: Selection, lines: LinesPlan | None = None) -> str:
    parts = []
    for step, below in chosen.items():
        if not step.many:
            parts.append(f"{step.name} {_rendered(below)}" if below else step.name)
            continue
        count = "$lines" if lines is not None and step == lines.step else _SLOTS
        rows = f"edges {{ node {_rendered(below)} }} pageInfo {{ hasNextPage }}"
        parts.append(f"{step.name} {{ query(first: {count}) {{ {rows} }} }}")
    return f"{{ {' '.join(parts)} }}"


# -- filters and orders -----------------------------------------------------------------------------------------------


def changed_since(place: Place, since: datetime | date) -> str:
    """The filter of rows that were changed at that time or later."""
    bound = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(since, datetime) else since.isoformat()
    return _written(_at(place, {"_gte": bound}))


def order(place: Place | None, *, descending: bool = False) -> str:
    """An order by a value, where there is one, and by the key."""
    first = {} if place is None else _at(place, -1 if descending else 1)
    return _written({**first, "_id": 1})


def _alike(conditions: Sequence[Condition]) -> bool:
    """Whether they are about one and the same single field."""
    return (
        all(len(condition) == 1 for condition in conditions) and len({name for one in conditions for name in one}) == 1
    )


def by_ways(plan: Plan, conditions: Sequence[Condition]) -> dict[str, str]:
    """Filters of rows that meet one of some conditions, in the spellings that services may know, the best first.

    What a plan has no place for is left out: a node of partners' addresses alone has no kind of owner.
    """
    if len(conditions) == 1:
        return {"one": all_of(plan, conditions[0])}
    ways = {}
    code = next(iter(conditions[0]))
    if _alike(conditions) and (place := plan.place(code)) is not None:
        ways["_in"] = _written(_at(place, {"_in": [_value(code, one[code]) for one in conditions]}))
    ways["_or"] = _written({"_or": [_all(plan, condition) for condition in conditions]})
    return ways


def all_of(plan: Plan, condition: Condition) -> str:
    """The filter of rows that meet a condition."""
    return _written(_all(plan, condition))


def _all(plan: Plan, condition: Condition) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for code, value in condition.items():
        if (place := plan.place(code)) is not None:
            found |= _at(place, {"_eq": _value(code, value)})
    return found


def _at(place: Place, test: Any) -> dict[str, Any]:
    """A test or a direction at a place; of a country its code."""
    for name in reversed([*(step.name for step in place.steps), place.leaves[-1]]):
        test = {name: test}
    return dict(test)


def _value(code: str, value: str | int) -> str | int:
    return _MENUS.get((code, value), value) if isinstance(value, int) else value


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
