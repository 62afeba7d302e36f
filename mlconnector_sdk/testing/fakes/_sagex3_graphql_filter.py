"""What Xtrem's `filter` and `orderBy` mean: conditions on properties, and the order of rows.

Operators beyond those that were seen on X3 (`_or`, `_in`, `_nin`) are taken as the sister product spells them; those
of the dialect of 2020, with a dollar sign, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NoReturn, TypeAlias

import attrs

from ._sagex3_graphql_rows import Folder, Read, RowLike
from ._sagex3_graphql_text import TextError, read_relaxed
from ._sagex3_schema import ENUMS, Node, Property

__all__ = ["Limits", "OrderKey", "QueryError", "read_filter", "read_order", "typed_cursor"]

Test: TypeAlias = Callable[[RowLike], bool]

_ORDERED = {"_gt": gt, "_gte": ge, "_lt": lt, "_lte": le}
_LISTS = {"_and": all, "_or": any}
_COUNTS = ("_atLeast", "_atMost", "_every", "_none")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)")


class QueryError(Exception):
    """A filter, an order or a cursor that the service refuses."""


@attrs.define(kw_only=True)
class Limits:
    """What this site refuses: whether `_updateStamp` may be filtered on and sorted by is not established."""

    stamp_filter: bool = True
    stamp_order: bool = True


@attrs.frozen
class OrderKey:
    """One part of an order: how to read it, which way, and of which type it is."""

    read: Read
    type: str
    descending: bool = False


def _refuse(message: str) -> NoReturn:
    raise QueryError(message)


def _read(text: str, argument: str) -> Any:
    try:
        return read_relaxed(text)
    except TextError as error:
        raise QueryError(f"Invalid JSON in {argument}: {error}") from None


# -- filters ----------------------------------------------------------------------------------------------------------


def read_filter(folder: Folder, limits: Limits, node: Node, text: str) -> Test:
    """The condition that a filter's text states.

    Raises:
        QueryError: it is not of its form, or names a property, operator or value that does not fit.
    """
    return _Conditions(folder, limits).of(node, _read(text, "filter"))


class _Conditions:
    def __init__(self, folder: Folder, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits

    def of(self, node: Node, value: Any) -> Test:
        """An object of properties, or an array of such, all of which have to hold."""
        if isinstance(value, list):
            return _all([self.of(node, one) for one in value])
        if not isinstance(value, dict):
            _refuse(f"Filter on {node.type} must be an object")
        return _all([self._member(node, name, one) for name, one in value.items()])

    def _member(self, node: Node, name: str, value: Any) -> Test:
        if name in _LISTS:
            if not isinstance(value, list):
                _refuse(f"{name} takes an array")
            join, tests = _LISTS[name], [self.of(node, one) for one in value]
            return lambda row: join(test(row) for test in tests)
        if name == "_id":
            return self._operators(self.folder.identifier(node), "Id", name, value)
        prop = _published(node, name)
        if name == "_updateStamp" and not self.limits.stamp_filter:
            _refuse(f"{node.type}.{name}: filtering on this property is not allowed")
        if prop.kind == "value":
            if prop.type == "Text":
                _refuse(f"{node.type}.{name}: filtering on text streams is not allowed")
            return self._operators(self.folder.comparable(node, prop), prop.type, f"{node.type}.{name}", value)
        if prop.kind == "reference":
            return self._reference(node, prop, value)
        return self._collection(node, prop, value)

    def _reference(self, node: Node, prop: Property, value: Any) -> Test:
        goal = self.folder.node(prop.type)
        follow = self.folder.target(node, prop)
        nested = isinstance(value, dict) and not any(_is_operator(name) for name in value)
        read = self.folder.identifier(goal)
        if nested:
            test = self.of(goal, value)
            return lambda row: (found := follow(row)) is not None and test(found)
        where = f"{node.type}.{prop.name}"
        return self._operators(lambda row: None if (at := follow(row)) is None else read(at), "Id", where, value)

    def _collection(self, node: Node, prop: Property, value: Any) -> Test:
        where = f"{node.type}.{prop.name}"
        words = [name for name in value if name in _COUNTS] if isinstance(value, dict) else []
        if len(words) != 1:
            _refuse(f"{where}: a collection takes one of {', '.join(_COUNTS)}")
        word = words[0]
        number, rest = _amount(value, word, where)
        rows = self.folder.members(node, prop)
        test = self.of(self.folder.node(prop.type), rest)

        def count(row: RowLike) -> tuple[int, int]:
            found = rows(row)
            return sum(map(test, found)), len(found)

        judges: Mapping[str, Callable[[int, int], bool]] = {
            "_atLeast": lambda good, _: good >= number,
            "_atMost": lambda good, _: good <= number,
            "_every": lambda good, whole: good == whole,
            "_none": lambda good, _: good == 0,
        }
        judge = judges[word]
        return lambda row: judge(*count(row))

    def _operators(self, read: Read, kind: str, where: str, value: Any) -> Test:
        if not isinstance(value, dict):
            wanted = _typed(kind, value, where)
            return lambda row: read(row) == wanted
        if not value:
            _refuse(f"{where}: an operator is missing")
        return _all([self._operator(read, kind, where, name, one) for name, one in value.items()])

    def _operator(self, read: Read, kind: str, where: str, name: str, value: Any) -> Test:
        if name in {"_eq", "_ne"}:
            compare, wanted = (eq if name == "_eq" else ne), _typed(kind, value, where)
            return lambda row: compare(read(row), wanted)
        if name in {"_in", "_nin"}:
            if not isinstance(value, list):
                _refuse(f"{where}: {name} takes an array")
            several, wanted_in = {_typed(kind, one, where) for one in value}, name == "_in"
            return lambda row: (read(row) in several) is wanted_in
        if name in _ORDERED and kind != "Boolean":
            order, bound = _ORDERED[name], _typed(kind, value, where)
            if bound is None:
                _refuse(f"{where}: {name} takes a value")
            return lambda row: (found := read(row)) is not None and order(found, bound)
        if name == "_regex" and kind in {"String", "Id"}:
            return _matching(read, value, where)
        if name in _LISTS:
            if not isinstance(value, list):
                _refuse(f"{where}: {name} takes an array")
            join, tests = _LISTS[name], [self._operators(read, kind, where, one) for one in value]
            return lambda row: join(test(row) for test in tests)
        _refuse(f"{where}: invalid operator {name}")


def _amount(value: Mapping[str, Any], word: str, where: str) -> tuple[int, Any]:
    """How many members a collection's word asks for, and what they have to be."""
    amount = value[word]
    rest = {name: one for name, one in value.items() if name != word}
    if word in {"_every", "_none"}:
        if amount is True:
            return 1, rest
        if isinstance(amount, dict) and not rest:
            return 1, amount
    elif type(amount) is int and amount >= 0:
        return amount, rest
    _refuse(f"{where}: {word} does not take this value")


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _matching(read: Read, value: Any, where: str) -> Test:
    try:
        pattern = re.compile(value)
    except (re.error, TypeError):
        _refuse(f"{where}: invalid regular expression")
    return lambda row: bool(pattern.search(read(row) or ""))


def _is_operator(name: str) -> bool:
    return name.startswith("$") or (
        name.startswith("_") and name not in {"_id", "_createStamp", "_updateStamp", "_etag"}
    )


def _published(node: Node, name: str) -> Property:
    if name not in node.properties:
        _refuse(f"{node.type}: unknown property {name}")
    return node.properties[name]


def _typed(kind: str, value: Any, where: str) -> Any:
    """A filter's value as the property's own type."""
    if value is None:
        return None
    if kind in ENUMS:
        if not value or value not in ENUMS[kind]:
            _refuse(f"{where}: {value!r} is no value of {kind}")
        return value
    convert: Callable[[Any], Any] = _CONVERTERS.get(kind, _text)
    converted = convert(value)
    if converted is None:
        _refuse(f"{where}: a value of type {kind} is expected")
    return converted


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "Boolean": _boolean,
    "Int": _whole,
    "Decimal": _number,
    "Date": _day,
    "Datetime": _moment,
}


def typed_cursor(kind: str, value: Any) -> Any:
    """A value of a cursor, as the property's own type.

    Raises:
        QueryError: it is of another.
    """
    return _typed(kind, value, "cursor")


# -- orders -----------------------------------------------------------------------------------------------------------


def read_order(folder: Folder, limits: Limits, node: Node, text: str) -> list[OrderKey]:
    """The keys that an order's text names; `{}` names none.

    Raises:
        QueryError: as for filters.
    """
    value = _read(text, "orderBy")
    if not isinstance(value, dict):
        _refuse(f"orderBy on {node.type} must be an object")
    return _order(folder, limits, node, value)


def _order(folder: Folder, limits: Limits, node: Node, value: Mapping[str, Any]) -> list[OrderKey]:
    found: list[OrderKey] = []
    for name, direction in value.items():
        where = f"{node.type}.{name}"
        if name == "_updateStamp" and not limits.stamp_order:
            _refuse(f"{where}: sorting on this property is not allowed")
        prop = None if name == "_id" else _published(node, name)
        if prop is not None and prop.kind == "reference" and isinstance(direction, dict):
            inner = _order(folder, limits, folder.node(prop.type), direction)
            follow = folder.target(node, prop)
            found += [attrs.evolve(key, read=_after(follow, key.read)) for key in inner]
            continue
        if type(direction) is not int or direction not in {1, -1}:
            _refuse(f"{where}: a sort direction is 1 or -1")
        found.append(OrderKey(*_sortable(folder, node, prop, where), descending=direction < 0))
    return found


def _sortable(folder: Folder, node: Node, prop: Property | None, where: str) -> tuple[Read, str]:
    if prop is None:
        return folder.identifier(node), "Id"
    if prop.kind == "reference":
        return _after(folder.target(node, prop), folder.identifier(folder.node(prop.type))), "Id"
    if prop.kind != "value" or prop.type == "Text":
        _refuse(f"{where}: sorting on this property is not allowed")
    return folder.comparable(node, prop), prop.type


def _after(follow: Read, read: Read) -> Read:
    return lambda row: None if (found := follow(row)) is None else read(found)
