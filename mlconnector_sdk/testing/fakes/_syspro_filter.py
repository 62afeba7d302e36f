"""`$filter` as an OData 4 service takes it: comparisons, `and`, `or`, `not`, brackets and three text functions.

What was never seen to work (`in`, arithmetic, lambdas, other functions) is refused, so that no client comes to rely on
a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal

from ._syspro_conditions import OPERATORS, Test, both, comparable, compared, either, negated, null_test, reader, tested
from ._syspro_data import Row
from ._syspro_tables import Column, is_text
from ._syspro_text import JsonStyle, midnight

__all__ = ["FilterError", "compile_filter", "edm_type"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)(?![\w.:]))
      | (?P<day>\d{4}-\d\d-\d\d(?![\w.:-]))
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.:-]))
      | (?P<name>[A-Za-z_]\w*)
      | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_WORDS = {"eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan",
          "le": "LessThanOrEqual"}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[[str], Callable[[str], bool]]] = {
    "startswith": lambda sought: lambda text: text.startswith(sought),
    "endswith": lambda sought: lambda text: text.endswith(sought),
    "contains": lambda sought: lambda text: sought in text,
}
_LITERALS = {"text": "Edm.String", "number": "Edm.Decimal", "day": "Edm.Date", "instant": "Edm.DateTimeOffset"}


class FilterError(Exception):
    """The filter cannot be read, or compares what cannot be compared."""


def edm_type(column: Column, style: JsonStyle) -> str:
    """The type of a column in `$metadata`."""
    if column.kind in {"datetime", "day"}:
        return "Edm.Date" if style.plain_dates else "Edm.DateTimeOffset"
    types = {
        "decimal": "Edm.Decimal",
        "timestamp": "Edm.Binary",
        "bigint": "Edm.Int64",
        "instant": "Edm.DateTimeOffset",
    }
    return types.get(column.kind, "Edm.String")


def compile_filter(text: str, columns: Mapping[str, Column], style: JsonStyle) -> Test:
    """Parse a filter.

    Raises:
        FilterError: with the message of the answer.
    """
    parser = _Parser(text, columns, style)
    test = parser.alternatives()
    parser.expect_end()
    return test


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, Column], style: JsonStyle) -> None:
        self.text = text
        self.columns = columns
        self.style = style
        self.tokens = self._tokenize()
        self.at = 0

    def _tokenize(self) -> list[tuple[str, str]]:
        found, position = [], 0
        text = self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._syntax(position)
            found.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return found

    def _syntax(self, position: int) -> FilterError:
        return FilterError(f"Syntax error at position {position} in '{self.text}'.")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, token: tuple[str, str] | None = None) -> tuple[str, str]:
        found = self.peek()
        if found[0] == "end" or (token is not None and found != token):
            raise self._syntax(self.at)
        self.at += 1
        return found

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise self._syntax(self.at)

    def alternatives(self) -> Test:
        left = self.conditions()
        while self.peek() == ("name", "or"):
            self.take()
            left = either(left, self.conditions())
        return left

    def conditions(self) -> Test:
        left = self.condition()
        while self.peek() == ("name", "and"):
            self.take()
            left = both(left, self.condition())
        return left

    def condition(self) -> Test:
        if self.peek() == ("name", "not"):
            self.take()
            return negated(self.condition())
        if self.peek() == ("mark", "("):
            self.take()
            inside = self.alternatives()
            self.take(("mark", ")"))
            return inside
        group, word = self.take()
        if group != "name":
            raise self._syntax(self.at - 1)
        return self.function(word) if self.peek() == ("mark", "(") else self.comparison(self.column(word))

    def column(self, name: str) -> Column:
        column = self.columns.get(name)
        if column is None:
            raise FilterError(f"Could not find a property named '{name}'.")
        return column

    def function(self, name: str) -> Test:
        if name not in _FUNCTIONS:
            raise FilterError(f"An unknown function with name '{name}' was found.")
        self.take(("mark", "("))
        column = self.column(self.take()[1])
        self.take(("mark", ","))
        group, literal = self.take()
        self.take(("mark", ")"))
        if group != "text" or not is_text(column):
            raise FilterError(f"No function signature for the function with name '{name}' matches the arguments.")
        return tested(column, _FUNCTIONS[name](_unquoted(literal)))

    def comparison(self, column: Column) -> Test:
        kind, word = self.take()
        if kind != "name" or word not in OPERATORS:
            raise self._syntax(self.at - 1)
        group, literal = self.take()
        if (group, literal) == ("name", "null") and word in {"eq", "ne"}:
            return null_test(column, is_null=word == "eq")
        own, given = edm_type(column, self.style), _LITERALS.get(group, "")
        numbers = {own, given} <= {"Edm.Decimal", "Edm.Int64"}
        if own == "Edm.Binary" or (own != given and not numbers):
            raise FilterError(
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{own}' and '{given}' for operator kind '{_WORDS[word]}'."
            )
        return self._compared(column, word, group, literal)

    def _compared(self, column: Column, word: str, group: str, literal: str) -> Test:
        if group == "text":
            return compared(column, word, comparable(column)(_unquoted(literal)))
        if group == "number":
            return compared(column, word, Decimal(literal))
        try:
            if group == "day":
                return compared(column, word, date.fromisoformat(literal))
            moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d", r"\1", literal))
        except ValueError:
            raise FilterError(f"Unrecognized literal '{literal}'.") from None
        if column.kind == "instant":
            return compared(column, word, moment)
        zone, own = self.style.zone, reader(column)

        def begins(row: Row) -> datetime | None:
            day = own(row)
            return None if day is None else midnight(day, zone)

        return compared(column, word, moment, begins)


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")
