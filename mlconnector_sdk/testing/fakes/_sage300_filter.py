"""`$filter` as the Web API of Sage 300 takes it: OData V4 with the operators and functions that are known to work.

What the vendor's reference prints in the syntax of V3 (`datetime'…'`, `30m`, `substringof`) is refused, and so is
everything nobody has seen working: `contains`, `not`, `null`, comparisons of two properties.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ._sage300_errors import BadQuery
from ._sage300_schema import Column

__all__ = ["Predicate", "compile_filter", "sortable", "wire_date"]

Predicate = Callable[[Mapping[str, Any]], bool]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_EDM = {"text": "Edm.String", "date": "Edm.DateTimeOffset", "amount": "Edm.Decimal", "int": "Edm.Int32",
        "flag": "Edm.Boolean", "choice": "an enumeration"}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<typed>[A-Za-z]+'[^']*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?![\w.]))
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.:-]))
      | (?P<name>[A-Za-z_]\w*(?![\w./]))
      | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


def wire_date(day: date) -> str:
    """A calendar day as the wire shows it: midnight, with a `Z` that says nothing about a zone."""
    return f"{day:%Y-%m-%d}T00:00:00Z"


def sortable(kind: str, value: Any) -> Any:
    """A stored value in the form filters and key order compare, or None where it is empty or no number.

    Texts compare as the database's collation does it: without regard to case and to blanks at the end.
    """
    if value is None:
        return None
    if kind == "text":
        return str(value).rstrip(" ").casefold()
    if kind == "date":
        return wire_date(value) if isinstance(value, date) else str(value)
    if kind in {"amount", "int"}:
        return _decimal(value)
    return value


def _decimal(value: Any) -> Any:
    if type(value) in {int, Decimal}:
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def compile_filter(
    text: str, columns: Mapping[str, Column], type_name: str, *, node_limit: int | None = None
) -> Predicate:
    """Parse a `$filter` into a test of a stored row.

    Raises:
        BadQuery: for anything the real system would not take, or is not known to take.
    """
    parser = _Parser(text, columns, type_name)
    predicate = parser.alternatives()
    parser.expect_end()
    if node_limit is not None and parser.nodes > node_limit:
        raise BadQuery(f"The node count limit of '{node_limit}' has been exceeded.")
    return predicate


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, Column], type_name: str) -> None:
        self.text = text
        self.columns = columns
        self.type_name = type_name
        self.nodes = 0
        self.at = 0
        self.tokens = self._tokenize()

    def _tokenize(self) -> list[tuple[str, str]]:
        found, position = [], 0
        text = self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._syntax(position)
            found.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        return found

    def _syntax(self, position: int) -> BadQuery:
        return BadQuery(f"Syntax error at position {position} in '{self.text}'.")

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self._next()
        self.at += 1
        return token

    def expect(self, mark: str) -> None:
        if self.take() != ("mark", mark):
            raise self._syntax(self.at - 1)

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise self._syntax(self.at)

    def alternatives(self) -> Predicate:
        tests = [self.conjunction()]
        while self._next() == ("name", "or"):
            self.take()
            self.nodes += 1
            tests.append(self.conjunction())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def conjunction(self) -> Predicate:
        tests = [self.condition()]
        while self._next() == ("name", "and"):
            self.take()
            self.nodes += 1
            tests.append(self.condition())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def condition(self) -> Predicate:
        if self._next() == ("mark", "("):
            self.take()
            inner = self.alternatives()
            self.expect(")")
            return inner
        group, name = self.take()
        if group != "name":
            raise self._syntax(self.at - 1)
        if self._next() == ("mark", "("):
            return self._function(name)
        return self._comparison(self._column(name))

    def _column(self, name: str) -> Column:
        column = self.columns.get(name)
        if column is None:
            raise BadQuery(f"Could not find a property named '{name}' on type '{self.type_name}'.")
        if column.property.kind == "rows":
            raise BadQuery(f"The property '{name}' is a collection and cannot be filtered.")
        return column

    def _comparison(self, column: Column) -> Predicate:
        group, word = self.take()
        test = _COMPARISONS.get(word) if group == "name" else None
        if test is None:
            raise self._syntax(self.at - 1)
        self.nodes += 3
        constant = self._constant(column, word)
        return _against(column.stored, column.property.kind, column.property.default, word, constant)

    def _constant(self, column: Column, word: str) -> Any:
        """The literal after an operator, which must have the property's own type."""
        group, text = self.take()
        kind = column.property.kind
        if kind == "text" and group == "string":
            return sortable("text", _unquoted(text))
        if kind == "date" and group == "date":
            return text
        if kind in {"amount", "int"} and group == "number":
            return Decimal(text)
        if kind == "flag" and (group, text) in {("name", "true"), ("name", "false")} and word in {"eq", "ne"}:
            return text == "true"
        if kind == "choice" and group == "string" and word in {"eq", "ne"}:
            return self._member(column, _unquoted(text))
        raise BadQuery(
            "A binary operator with incompatible types was detected. Found operand types "
            f"'{_EDM[kind]}' and the literal {text or 'nothing'} for operator kind '{word}'."
        )

    def _member(self, column: Column, name: str) -> str:
        # A value without a name has its number for one.
        if name not in column.property.members and not name.isdigit():
            raise BadQuery(f"The string '{name}' is not a valid enumeration member of '{column.wire}'.")
        return name

    def _function(self, name: str) -> Predicate:
        if name not in {"startswith", "endswith", "length"}:
            raise BadQuery(f"An unknown function with name '{name}' was found.")
        self.expect("(")
        group, argument = self.take()
        column = self._column(argument) if group == "name" else None
        if column is None or column.property.kind != "text":
            raise BadQuery(f"No function signature for '{name}' matches the specified arguments.")
        self.nodes += 3
        if name == "length":
            self.expect(")")
            return self._length(column.stored)
        self.expect(",")
        group, text = self.take()
        self.expect(")")
        if group != "string":
            raise BadQuery(f"No function signature for '{name}' matches the specified arguments.")
        return _text_test(name, column.stored, sortable("text", _unquoted(text)))

    def _length(self, stored: str) -> Predicate:
        group, word = self.take()
        kind, number = self.take()
        test = _COMPARISONS.get(word) if group == "name" else None
        if test is None or kind != "number":
            raise self._syntax(self.at - 1)
        limit = Decimal(number)
        return lambda row: test(len(str(row.get(stored) or "").rstrip(" ")), limit)


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _against(stored: str, kind: str, default: Any, word: str, constant: Any) -> Predicate:
    test = _COMPARISONS[word]

    def against(row: Mapping[str, Any]) -> bool:
        value = sortable(kind, row.get(stored, default))
        # Nothing is greater or less than an empty date; it is unequal to every date.
        return word == "ne" if value is None else test(value, constant)

    return against


def _text_test(name: str, stored: str, sought: str) -> Predicate:
    def tested(row: Mapping[str, Any]) -> bool:
        value: str = sortable("text", row.get(stored) or "")
        return value.startswith(sought) if name == "startswith" else value.endswith(sought)

    return tested
