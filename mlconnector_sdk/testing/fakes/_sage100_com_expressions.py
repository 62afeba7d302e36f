"""Expressions of ProvideX as result sets and filters of business objects take them.

Texts: columns (`CustomerNo$`), literals (`"01"`, a doubled quote for one), `STR(CreditLimit)`, joined by `+`.
Conditions: `=`, `<>`, `<`, `<=`, `>`, `>=` between two texts or two numbers, joined by `AND` or `OR`, negated by
`NOT`, in brackets. Names have no case; a text or date column has its dollar sign and a numeric column has none.

The language has more; what nobody has seen in this place is refused, and so is `AND` beside `OR` without brackets,
because which of them binds first is not established.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import attrs

from ._sage100_data import Key, Row, Table
from ._sage100_tables import Column

__all__ = ["Condition", "ExpressionError", "Expressions", "number_text"]

Reader: TypeAlias = Callable[[Row], Any]

_SYNTAX, _MISMATCH = "Error #20: Syntax error", "Error #26: String/numeric mismatch"
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = frozenset({"AND", "OR", "NOT", "STR"})
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"]|"")*")
      | (?P<number>\d+(?:\.\d*)?|\.\d+)
      | (?P<name>[A-Za-z][A-Za-z0-9_.]*\$?)
      | (?P<mark><>|<=|>=|[-+=<>()])
    )""",
    re.VERBOSE,
)


class ExpressionError(Exception):
    """What ProvideX says of an expression it cannot run."""


def number_text(value: Any) -> str:
    """A number as `STR` shows it: without blanks, without zeros at the end.

    Example:
        >>> number_text(Decimal("1500.00")), number_text(Decimal("-0.50"))
        ('1500', '-0.5')
    """
    if not isinstance(value, Decimal):
        return str(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: Any) -> Decimal:
    try:
        return value if type(value) is Decimal else Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


@attrs.frozen
class Condition:
    """A compiled filter.

    Attributes:
        holds: whether it is true of a record.
        leads: beginnings of keys, one of which every matching record has; `None` where nothing is known. They let a
            filter over keys be answered without a walk through the table.
        among: columns that must have one of these texts.
        only: the column of `among`, where the condition says nothing else.
    """

    holds: Callable[[Row], bool]
    leads: frozenset[Key] | None = None
    among: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    only: str | None = None


EVERYTHING = Condition(lambda row: True)
_MOST_LEADS = 5000


def _precision(leads: frozenset[Key]) -> tuple[int, int]:
    """How little is read by these leads: first by the length of the shortest, then by how few they are."""
    return min((len(lead) for lead in leads), default=99), -len(leads)


@attrs.frozen
class _Value:
    """A part of an expression: `bare` reads it for comparison, `full` as it stands in a result."""

    kind: str
    full: Reader
    bare: Reader
    column: str | None = None
    literal: str | None = None


class Expressions:
    """Compiles expressions over one table.

    Args:
        table: its columns are the variables.
        padded: key columns come out filled with NUL bytes to their width, all but the last, as in the raw key.
        unset_variables: a name that is no column is an unset variable, blank or zero, as in a program; otherwise it
            is refused, so that a misspelt column shows.
    """

    def __init__(self, table: Table, *, padded: bool = True, unset_variables: bool = False) -> None:
        self.table = table
        self.unset_variables = unset_variables
        self._names = {column.addressed.upper(): column for column in table.columns.values()}
        self._widths = {name: table.columns[name].width for name in table.key[:-1]} if padded else {}

    def text(self, expression: str) -> Callable[[Row], str]:
        """A reader of the expression's text.

        Raises:
            ExpressionError: it is no expression, or a number.
        """
        parser = _Parser(expression, self)
        value = parser.value()
        parser.expect_end()
        if value.kind != "text":
            raise ExpressionError(f"{_MISMATCH}: {expression}")
        return value.full

    def condition(self, expression: str) -> Condition:
        """A test of records; of nothing, for a blank expression.

        Raises:
            ExpressionError: it is no condition.
        """
        if not expression.strip():
            return EVERYTHING
        parser = _Parser(expression, self)
        condition = parser.condition()
        parser.expect_end()
        return condition

    def rows(self, condition: Condition) -> Iterator[Row]:
        """The records of which the condition is true, in the order of their keys."""
        holds = condition.holds
        return (row for row in self._candidates(condition.leads) if holds(row))

    def _candidates(self, leads: frozenset[Key] | None) -> Iterable[Row]:
        if leads is None:
            return self.table.in_order()
        # A lead that begins with another one would bring its records twice.
        apart = [lead for lead in sorted(leads) if not any(lead[:size] in leads for size in range(1, len(lead)))]
        return (row for lead in apart for row in self._led_by(lead))

    def _led_by(self, lead: Key) -> list[Row]:
        if len(lead) < len(self.table.key):
            return self.table.starting_with(*lead)
        row = self.table.get(lead)
        return [] if row is None else [row]

    def column(self, name: str) -> _Value:
        """The variable of this name."""
        column = self._names.get(name.upper())
        if column is None:
            if not self.unset_variables:
                raise ExpressionError(f"{_SYNTAX}: {name} is no column of {self.table.name}")
            blank = "" if name.endswith("$") else Decimal(0)
            return _Value("text" if name.endswith("$") else "number", lambda row: blank, lambda row: blank)
        return self._read(column)

    def _read(self, column: Column) -> _Value:
        bare = operator.itemgetter(column.name)
        if column.kind == "number":
            return _Value("number", bare, lambda row: _number(bare(row)))
        width = self._widths.get(column.name)
        full = bare if width is None else (lambda row: bare(row).ljust(width, "\0"))
        return _Value("text", full, bare, column=column.name)

    def among(self, column: str, values: frozenset[str]) -> Condition:
        """That a column has one of these texts."""
        texts = {column: values}
        return Condition(lambda row: row[column] in values, self.leads_of(texts), texts, column)

    def leads_of(self, among: Mapping[str, frozenset[str]]) -> frozenset[Key] | None:
        """The beginnings of keys that these columns' texts allow, if they say any."""
        leads: list[Key] = [()]
        for name in self.table.key:
            if name not in among or len(leads) * len(among[name]) > _MOST_LEADS:
                break
            leads = [(*lead, value) for lead in leads for value in among[name]]
        return None if leads == [()] else frozenset(leads)


class _Parser:
    def __init__(self, text: str, scope: Expressions) -> None:
        self.text = text
        self.scope = scope
        self.at = 0
        self.tokens = list(self._tokenize())

    def _tokenize(self) -> Iterator[tuple[str, str]]:
        position, text = 0, self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._syntax()
            word = match.group(match.lastgroup)
            known = match.lastgroup == "name" and word.upper() in _WORDS
            yield ("word", word.upper()) if known else (match.lastgroup, word)
            position = match.end()

    def _syntax(self) -> ExpressionError:
        return ExpressionError(f"{_SYNTAX}: {self.text}")

    def next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.next()
        self.at += 1
        return token

    def expect(self, mark: str) -> None:
        if self.take() != ("mark", mark):
            raise self._syntax()

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise self._syntax()

    # -- conditions ---------------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        parts = [self._part()]
        group, word = self.next()
        if group != "word" or word not in {"AND", "OR"}:
            return parts[0]
        while self.next() == ("word", word):
            self.take()
            parts.append(self._part())
        if self.next()[0] == "word":
            raise ExpressionError(f"{_SYNTAX}: AND beside OR needs brackets: {self.text}")
        return self._all(parts) if word == "AND" else self._any(parts)

    def _all(self, parts: list[Condition]) -> Condition:
        tests = [part.holds for part in parts]
        among: dict[str, frozenset[str]] = {}
        for part in parts:
            among.update({name: values & among.get(name, values) for name, values in part.among.items()})
        leads = [part.leads for part in parts] + [self.scope.leads_of(among)]
        best = max((lead for lead in leads if lead is not None), key=_precision, default=None)
        return Condition(lambda row: all(test(row) for test in tests), best, among)

    def _any(self, parts: list[Condition]) -> Condition:
        columns = set(parts[0].among).intersection(*(part.among for part in parts))
        among = {name: frozenset[str]().union(*(part.among[name] for part in parts)) for name in columns}
        if parts[0].only is not None and all(part.only == parts[0].only for part in parts):
            return self.scope.among(parts[0].only, among[parts[0].only])
        tests = [part.holds for part in parts]
        known = [part.leads for part in parts if part.leads is not None]
        leads = frozenset[Key]().union(*known) if len(known) == len(parts) else None
        return Condition(lambda row: any(test(row) for test in tests), leads, among)

    def _part(self) -> Condition:
        if self.next() == ("word", "NOT"):
            self.take()
            inner = self._part().holds
            return Condition(lambda row: not inner(row))
        if self.next() == ("mark", "("):
            self.take()
            condition = self.condition()
            self.expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        left = self.value()
        group, mark = self.take()
        if group != "mark" or mark not in _COMPARISONS:
            raise self._syntax()
        right = self.value()
        if left.kind != right.kind:
            raise ExpressionError(f"{_MISMATCH}: {self.text}")
        test, one, other = _COMPARISONS[mark], left.bare, right.bare
        if right.literal is None:
            return Condition(lambda row: test(one(row), other(row)))
        constant = right.literal
        if mark == "=" and left.column is not None:
            return self.scope.among(left.column, frozenset({constant}))
        return Condition(lambda row: test(one(row), constant))

    # -- values -------------------------------------------------------------------------------------------------

    def value(self) -> _Value:
        parts = [self._term()]
        while self.next() == ("mark", "+"):
            self.take()
            parts.append(self._term())
        if len(parts) == 1:
            return parts[0]
        if any(part.kind != "text" for part in parts):
            raise ExpressionError(f"{_MISMATCH}: {self.text}")
        readers = [part.full for part in parts]

        def joined(row: Row) -> str:
            return "".join([read(row) for read in readers])

        return _Value("text", joined, lambda row: joined(row).rstrip("\0"))

    def _term(self) -> _Value:
        group, word = self.take()
        if group == "text":
            text = word[1:-1].replace('""', '"')
            # NUL bytes at the end are padding: a key from a result set may be asked for as it came.
            bare = text.rstrip("\0")
            return _Value("text", lambda row: text, lambda row: bare, literal=bare)
        if group == "number" or (group, word) == ("mark", "-"):
            return self._constant(group, word)
        if (group, word) == ("word", "STR"):
            return self._str()
        if group == "name":
            return self.scope.column(word)
        raise self._syntax()

    def _constant(self, group: str, word: str) -> _Value:
        if group == "mark":
            group, digits = self.take()
            word = f"-{digits}"
        if group != "number":
            raise self._syntax()
        number = Decimal(word)
        return _Value("number", lambda row: number, lambda row: number)

    def _str(self) -> _Value:
        self.expect("(")
        inner = self._term()
        self.expect(")")
        if inner.kind != "number":
            raise ExpressionError(f"{_MISMATCH}: {self.text}")
        read = inner.full

        def shown(row: Row) -> str:
            return number_text(read(row))

        return _Value("text", shown, shown)
