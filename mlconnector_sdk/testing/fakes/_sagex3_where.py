"""The `where` of api1: SData's query language, as strict as it is written down.

Types are never mixed: a text meets a text literal, a day `@2026-01-18@`, a moment `@2026-01-18T08:14:25Z@`; a moment
without offset is the server's local time. A comparison with an empty day or moment is never true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from ._sagex3_site import Row
from ._sagex3_tables import Kind

__all__ = ["Property", "WhereError", "compile_where"]

Test: TypeAlias = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<time>@[^@]*@)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<name>[$A-Za-z_][\w$]*(?:\.[A-Za-z_]\w*)*)
      | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?P<offset>Z|[+-]\d\d:\d\d)?")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
}
_WORDS = frozenset({*_COMPARE, "and", "or", "not", "between", "in", "like"})
_TYPES: Mapping[Kind, str] = {"text": "string", "menu": "number", "int": "number", "amount": "number", "day": "date",
                              "moment": "datetime", "uuid": "uuid"}  # fmt: skip


class WhereError(Exception):
    """The predicate cannot be read, names a property the facet does not have, or mixes types."""


@attrs.frozen
class Property:
    """A property that a predicate may name: its kind, and how a row tells its value."""

    kind: Kind
    read: Callable[[Row], Any]


@attrs.frozen
class _Value:
    """An operand: its type, and how a row tells it."""

    type: str
    read: Callable[[Row], Any]


_FUNCTIONS: Mapping[str, tuple[tuple[str, ...], str, Callable[..., Any]]] = {
    "left": (("string", "number"), "string", lambda text, count: text[: max(0, int(count))]),
    "right": (("string", "number"), "string", lambda text, count: text[-int(count) :] if count > 0 else ""),
    "substring": (
        ("string", "number", "number"),
        "string",
        lambda text, start, count: text[max(0, int(start) - 1) : max(0, int(start) - 1 + int(count))],
    ),
    "upper": (("string",), "string", lambda text: text.upper()),
    "lower": (("string",), "string", lambda text: text.lower()),
    "trim": (("string",), "string", lambda text: text.strip(" ")),
    "concat": (("string", "string"), "string", lambda left, right: left + right),
    "length": (("string",), "number", len),
    "year": (("date",), "number", lambda day: day.year),
    "month": (("date",), "number", lambda day: day.month),
    "day": (("date",), "number", lambda day: day.day),
    "currentDate": ((), "date", lambda: None),
}
"""Parameter types, result type, and what each does; `currentDate` is told the present by the parser."""


def compile_where(
    text: str, properties: Mapping[str, Property], *, zone: ZoneInfo, today: date, moments: bool = True
) -> Test:
    """Parse a predicate.

    Args:
        text: the predicate.
        properties: what may be named.
        zone: of moments without an offset.
        today: the server's calendar day.
        moments: whether comparisons with a moment are taken.

    Raises:
        WhereError: with the message of the answer.
    """
    parser = _Parser(text, properties, zone=zone, today=today, moments=moments)
    test = parser.alternatives()
    parser.expect_end()
    return test


class _Parser:
    def __init__(
        self, text: str, properties: Mapping[str, Property], *, zone: ZoneInfo, today: date, moments: bool
    ) -> None:
        self.properties = properties
        self.zone = zone
        self.today = today
        self.moments = moments
        self.tokens = _tokens(text)
        self.at = 0

    # -- tokens -------------------------------------------------------------------------------------------------

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, kind: str | None = None, word: str | None = None) -> str:
        found = self.peek()
        if found[0] == "end" or (kind is not None and found[0] != kind) or (word is not None and found[1] != word):
            raise self.stumble()
        self.at += 1
        return found[1]

    def follows(self, word: str) -> bool:
        if self.peek() not in {("name", word), ("mark", word)}:
            return False
        self.at += 1
        return True

    def stumble(self) -> WhereError:
        return WhereError(f"Syntax error in where clause near '{self.peek()[1] or 'end of text'}'")

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise self.stumble()

    # -- logic --------------------------------------------------------------------------------------------------

    def alternatives(self) -> Test:
        tests = [self.conditions()]
        while self.follows("or"):
            tests.append(self.conditions())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def conditions(self) -> Test:
        tests = [self.condition()]
        while self.follows("and"):
            tests.append(self.condition())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def condition(self) -> Test:
        if self.follows("not"):
            inner = self.condition()
            return lambda row: not inner(row)
        if self.follows("("):
            inside = self.alternatives()
            self.take("mark", ")")
            return inside
        return self.comparison()

    def comparison(self) -> Test:
        left = self.operand()
        word = self.take("name")
        if word in _COMPARE:
            return self.compared(left, word, self.operand())
        if word == "between":
            low = self.compared(left, "ge", self.operand())
            self.take("name", "and")
            high = self.compared(left, "le", self.operand())
            return lambda row: low(row) and high(row)
        if word == "in":
            return self.one_of(left)
        if word == "like":
            return self.pattern(left)
        self.at -= 1
        raise self.stumble()

    def compared(self, left: _Value, word: str, right: _Value) -> Test:
        if left.type != right.type:
            raise WhereError(f"Incompatible types {left.type} and {right.type} in where clause")
        if left.type == "datetime" and not self.moments:
            raise WhereError(f"Operator {word} is not supported for datetime in where clause")
        compare, first, second = _COMPARE[word], left.read, right.read

        def test(row: Row) -> bool:
            one, other = first(row), second(row)
            try:
                return one is not None and other is not None and compare(one, other)
            except TypeError:  # a value that was spoilt for a test
                return False

        return test

    def one_of(self, left: _Value) -> Test:
        self.take("mark", "(")
        tests = [self.compared(left, "eq", self.operand())]
        while self.follows(","):
            tests.append(self.compared(left, "eq", self.operand()))
        self.take("mark", ")")
        return lambda row: any(test(row) for test in tests)

    def pattern(self, left: _Value) -> Test:
        sought = _unquoted(self.take("text"))
        if left.type != "string":
            raise WhereError(f"Incompatible types {left.type} and string in where clause")
        parts = {"%": ".*", "_": "."}
        matches = re.compile("".join(parts.get(sign, re.escape(sign)) for sign in sought), re.DOTALL).fullmatch
        read = left.read
        return lambda row: matches(read(row)) is not None

    # -- operands -----------------------------------------------------------------------------------------------

    def operand(self) -> _Value:
        kind, word = self.peek()
        if kind in {"end", "mark"} or word in _WORDS:
            raise self.stumble()
        self.at += 1
        if kind == "text":
            return _constant("string", _unquoted(word))
        if kind == "number":
            return _constant("number", Decimal(word))
        if kind == "time":
            return self.time(word[1:-1])
        return self.function(word) if self.follows("(") else self.property(word)

    def property(self, name: str) -> _Value:
        if name not in self.properties:
            raise WhereError(f"Unknown property {name} in where clause")
        found = self.properties[name]
        return _Value(_TYPES[found.kind], found.read)

    def function(self, name: str) -> _Value:
        if name not in _FUNCTIONS:
            raise WhereError(f"Unknown function {name} in where clause")
        wanted, result, work = _FUNCTIONS[name]
        given: list[_Value] = []
        while not self.follows(")"):
            if given:
                self.take("mark", ",")
            given.append(self.operand())
        if tuple(one.type for one in given) != wanted:
            raise WhereError(f"Invalid arguments of function {name} in where clause")
        if name == "currentDate":
            return _constant("date", self.today)
        reads = [one.read for one in given]

        def call(row: Row) -> Any:
            values = [read(row) for read in reads]
            return None if None in values else work(*values)

        return _Value(result, call)

    def time(self, text: str) -> _Value:
        try:
            if _DAY.fullmatch(text):
                return _constant("date", date.fromisoformat(text))
            if found := _MOMENT.fullmatch(text):
                moment = datetime.fromisoformat(text)
                local = moment if found["offset"] else moment.replace(tzinfo=self.zone)
                return _constant("datetime", local.astimezone(UTC))
        except ValueError:
            pass
        raise WhereError(f"Invalid date literal @{text}@ in where clause")


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    stripped, position = text.rstrip(), 0
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None or match.lastgroup is None:
            raise WhereError(f"Syntax error in where clause at position {position}")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _constant(kind: str, value: Any) -> _Value:
    return _Value(kind, lambda row: value)


def _unquoted(literal: str) -> str:
    quote = literal[0]
    return literal[1:-1].replace(quote * 2, quote)
