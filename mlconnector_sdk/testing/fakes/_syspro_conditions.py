"""Conditions over rows as SQL Server judges them, for both `$filter` and COMFND's `Where`.

A `Test` answers True, False, or None where a null leaves the question open; only True selects a row. What a test knows
about keys (`among`, `above`) lets a table be read by index.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from typing import Any, TypeAlias

import attrs

from ._syspro_data import Database, Row
from ._syspro_tables import Column, is_text

__all__ = [
    "EVERYTHING",
    "OPERATORS",
    "Reader",
    "Test",
    "both",
    "comparable",
    "compared",
    "either",
    "negated",
    "null_test",
    "reader",
    "select",
    "tested",
]

Reader: TypeAlias = Callable[[Row], Any]

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


@attrs.frozen
class Test:
    """A condition.

    Attributes:
        among: the column and the values of which it must have one.
        above: the column and the value it must exceed, `True` if it may be equal.
        only: the column of `among`, where the test is nothing else.
    """

    holds: Callable[[Row], bool | None]
    among: tuple[str, frozenset[Any]] | None = None
    above: tuple[str, Any, bool] | None = None
    only: Column | None = None


EVERYTHING = Test(lambda row: True)


def _text(value: Any) -> str:
    # Trailing blanks do not count in SQL, and an empty text column holds one.
    return "" if value is None else str(value).rstrip(" ")


def _number(value: Any) -> Decimal | None:
    try:
        return value if type(value) is Decimal else Decimal(str(0 if value is None else value))
    except InvalidOperation:
        return None


def _day(value: Any) -> date | None:
    return value if type(value) is date else None


def comparable(column: Column) -> Callable[[Any], Any]:
    """How the values of a column compare; `None` compares with nothing."""
    if is_text(column):
        return _text
    return {"decimal": _number, "bigint": _number}.get(column.kind, _day)


@cache
def reader(column: Column) -> Reader:
    """How to read a column off a row in comparable form; the same function for the same column."""
    if column.kind == "bigint":
        return lambda row: row.version
    if column.kind == "instant":
        return lambda row: row.changed_at
    if column.kind == "day":
        return lambda row: row.changed_at.date()
    name, form = column.name, comparable(column)
    return lambda row: form(row.get(name))


def compared(column: Column, word: str, value: Any, read: Reader | None = None) -> Test:
    """`column word value`, the value in comparable form; `read` where it compares in another one."""
    own = read or reader(column)
    if word == "eq" and read is None:
        return _among(column, frozenset({value}))
    check = OPERATORS[word]

    def holds(row: Row) -> bool | None:
        found = own(row)
        return None if found is None else check(found, value)

    return Test(holds, above=(column.name, value, word == "ge") if word in {"gt", "ge"} and read is None else None)


def _among(column: Column, values: frozenset[Any]) -> Test:
    own = reader(column)

    def holds(row: Row) -> bool | None:
        found = own(row)
        return None if found is None else found in values

    return Test(holds, among=(column.name, values), only=column)


def tested(column: Column, check: Callable[[str], bool]) -> Test:
    """A test of a column's text."""
    name = column.name
    return Test(lambda row: check(_text(row.get(name))))


def null_test(column: Column, *, is_null: bool) -> Test:
    """Whether a column holds nothing; only days can."""
    own = reader(column)
    return Test(lambda row: (own(row) is None) == is_null)


def both(left: Test, right: Test) -> Test:
    """True where both are."""
    first, second = left.holds, right.holds

    def holds(row: Row) -> bool | None:
        one = first(row)
        if one is False:
            return False
        other = second(row)
        return other if one or other is False else None

    return Test(holds, left.among or right.among, left.above or right.above)


def either(left: Test, right: Test) -> Test:
    """True where one is; two equalities of one column become one look-up."""
    if left.among and right.among and left.only and left.only == right.only:
        return _among(left.only, left.among[1] | right.among[1])
    first, second = left.holds, right.holds

    def holds(row: Row) -> bool | None:
        one = first(row)
        if one:
            return True
        other = second(row)
        return other if one is False or other else None

    return Test(holds)


def negated(inner: Test) -> Test:
    """True where it is false; an open question stays open."""

    def holds(row: Row) -> bool | None:
        found = inner.holds(row)
        return None if found is None else not found

    return Test(holds)


def select(base: Database, table: str, test: Test, order: Sequence[tuple[str, bool]]) -> Iterator[Row]:
    """Matching rows, ordered by columns (`True`: descending); without order as they lie in the database."""
    holds = test.holds
    rows: Iterable[Row]
    if test.among is not None:
        rows = _ordered(base, table, _looked_up(base, table, test), order)
    elif not order:
        rows = base.rows(table)
    else:
        rows = base.cached(("order", table, *order), lambda: _ordered(base, table, base.rows(table), order))
        if test.above and order[0] == (test.above[0], False):
            rows = _from(base, table, test.above, order, rows)
    return (row for row in rows if holds(row) is True)


def _looked_up(base: Database, table: str, test: Test) -> list[Row]:
    assert test.among is not None
    name, values = test.among
    by_value = base.rows_by(table, name, reader(base.tables[table].columns[name]))
    return [row for value in values for row in by_value.get(value, ())]


def _ordered(base: Database, table: str, rows: list[Row], order: Sequence[tuple[str, bool]]) -> list[Row]:
    for name, down in reversed(order):
        own = reader(base.tables[table].columns[name])
        # Nulls come first in SQL Server.
        rows = sorted(rows, key=partial(_sort_key, own), reverse=down)
    return rows


def _sort_key(own: Reader, row: Row) -> tuple[bool, Any]:
    value = own(row)
    return value is not None, 0 if value is None else value


def _from(
    base: Database, table: str, above: tuple[str, Any, bool], order: Sequence[tuple[str, bool]], rows: Any
) -> Iterable[Row]:
    """The rows from a bound on: found by halving, not by walking over all that come before."""
    name, value, inclusive = above
    own = reader(base.tables[table].columns[name])
    keys = base.cached(("bounds", table, *order), lambda: [_sort_key(own, row) for row in rows])
    start = (bisect_left if inclusive else bisect_right)(keys, (True, value))
    return (rows[place] for place in range(start, len(rows)))
