"""`$filter` as Acumatica takes it: a strict subset of OData v3, and the errors it gives for the rest.

`compile_filter` turns the text into a function over a record that answers True, False, or None where an empty value
leaves the question open, as the database does; only True selects a record.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs

from ._acumatica_data import as_instant
from ._acumatica_errors import Refusal, failure

__all__ = ["Operand", "Predicate", "Resolver", "compile_filter"]

Predicate = Callable[[Mapping[str, Any]], bool | None]


@attrs.frozen
class Operand:
    """A typed value: read from a record, or with `read=None` the constant `value`."""

    kind: str
    read: Callable[[Mapping[str, Any]], Any] | None = None
    value: Any = None


class Resolver(Protocol):
    """What names in a filter stand for; raises `Refusal` for names the entity does not have."""

    def field(self, path: str) -> Operand:
        """The contract field at the end of `A/B/Field`."""
        ...

    def screen_field(self, kind: str, path: str) -> Operand:
        """The screen field `View.Field`, asked for as that kind."""
        ...


_EDM = {
    "S": "Edm.String",
    "B": "Edm.Boolean",
    "D": "Edm.Decimal",
    "T": "Edm.DateTimeOffset",
    "I": "Edm.Int32",
    "H": "Edm.Int16",
    "G": "Edm.Guid",
    "L": "Edm.Int64",
    "F": "Edm.Double",
    "datetime": "Edm.DateTime",
}
_NUMBERS = frozenset("DIHLF")
_COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_KIND_NAMES = {"eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan",
               "le": "LessThanOrEqual"}  # fmt: skip
_CUSTOM = {"cf.String": "S", "cf.Decimal": "D", "cf.DateTime": "T", "cf.Boolean": "B", "cf.Int": "I"}
_TEXT_FUNCTIONS = frozenset({"substringof", "startswith", "endswith"})

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<typed>[A-Za-z]+'[^']*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<number>-?\d+(?:\.\d+)?[MmLlFfDd]?(?![\w.]))
      | (?P<name>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)*)
      | (?P<mark>[(),=])
    )""",
    re.VERBOSE,
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)?)?")


def _bad(text: str) -> Refusal:
    return failure(text, "Microsoft.Data.OData.ODataException")


def compile_filter(text: str, names: Resolver) -> Predicate:
    """Parse a `$filter`. Raises `Refusal` with the answer of the real system for anything it would not take."""
    parser = _Parser(text, names)
    predicate = parser.alternatives()
    parser.expect_end()
    return predicate


class _Parser:
    def __init__(self, text: str, names: Resolver) -> None:
        self.text = text
        self.names = names
        self.tokens = self._tokenize()
        self.at = 0

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

    def _syntax(self, position: int) -> Refusal:
        return _bad(f"Syntax error at position {position} in '{self.text}'.")

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

    def alternatives(self) -> Predicate:
        left = self.conditions()
        while self.peek() == ("name", "or"):
            self.take()
            left = _either(left, self.conditions())
        return left

    def conditions(self) -> Predicate:
        left = self.condition()
        while self.peek() == ("name", "and"):
            self.take()
            left = _both(left, self.condition())
        return left

    def condition(self) -> Predicate:
        if self.peek() == ("name", "not"):
            self.take()
            return _negated(self.condition())
        if self.peek() == ("mark", "("):
            self.take()
            inside = self.alternatives()
            self.take(("mark", ")"))
            return inside
        if self.peek()[0] == "name" and self.tokens[self.at + 1 : self.at + 2] == [("mark", "(")]:
            name = self.peek()[1]
            if name in _TEXT_FUNCTIONS:
                return self.text_function()
            if name not in _CUSTOM:
                raise _bad(f"An unknown function with name '{name}' was found.")
        return self.comparison()

    def comparison(self) -> Predicate:
        left = self.operand()
        kind, word = self.take()
        if kind != "name" or word not in _COMPARISONS:
            raise self._syntax(self.at - 1)
        right = self.operand()
        _check_types(left, right, word)
        return _compared(_COMPARISONS[word], left, right)

    def operand(self) -> Operand:
        group, word = self.take()
        if group == "name":
            return self._named(word)
        if group == "string":
            return Operand("S", value=word[1:-1].replace("''", "'"))
        if group == "number":
            return _number(word)
        if group == "typed":
            return _typed(word)
        raise self._syntax(self.at - 1)

    def _named(self, word: str) -> Operand:
        if word in {"true", "false"}:
            return Operand("B", value=word == "true")
        if word in _CUSTOM:
            self.take(("mark", "("))
            self.take(("name", "f"))
            self.take(("mark", "="))
            group, path = self.take()
            self.take(("mark", ")"))
            if group != "string":
                raise self._syntax(self.at - 2)
            return self.names.screen_field(_CUSTOM[word], path[1:-1])
        if word == "null":
            # Not shown anywhere for this API: an empty value is no constant a client may rely on.
            raise _bad("The value 'null' is not supported in a filter.")
        return self.names.field(word)

    def text_function(self) -> Predicate:
        _, name = self.take()
        self.take(("mark", "("))
        first = self.operand()
        self.take(("mark", ","))
        second = self.operand()
        self.take(("mark", ")"))
        # `substringof` has the text first, the other two have the field first.
        sought, field = (first, second) if name == "substringof" else (second, first)
        if field.read is None or field.kind != "S" or sought.read is not None or sought.kind != "S":
            raise _bad(f"No function signature for the function with name '{name}' matches the specified arguments.")
        return _text_test(name, field, sought.value)


def _number(word: str) -> Operand:
    suffix = word[-1].upper()
    if suffix == "M":
        return Operand("D", value=Decimal(word[:-1]))
    if suffix == "L":
        return Operand("L", value=int(word[:-1]))
    if suffix in "FD" or "." in word:
        return Operand("F", value=float(word.rstrip("FfDd")))
    return Operand("I", value=int(word))


def _typed(word: str) -> Operand:
    name, _, text = word[:-1].partition("'")
    if name == "guid":
        return Operand("G", value=text)
    if name == "datetime":
        return Operand("datetime", value=text)
    # `date'…'` belongs to date-only fields, which these endpoint versions do not have.
    if name != "datetimeoffset" or not _INSTANT.fullmatch(text):
        raise _bad(f"Unrecognized literal {word}.")
    # Python reads at most six fraction digits; the seventh is below what the system stores.
    trimmed = re.sub(r"(\.\d{6})\d", r"\1", text)
    try:
        return Operand("T", value=as_instant(trimmed))
    except ValueError:
        raise _bad(f"Unrecognized literal {word}.") from None


def _check_types(left: Operand, right: Operand, word: str) -> None:
    if left.read is None and right.read is None:
        raise _bad("A comparison needs a field.")
    kinds = {left.kind, right.kind}
    if len(kinds) == 1 or kinds == {"I", "H"}:
        return
    if kinds <= _NUMBERS:
        raise failure("Type conversions are not supported.", "System.NotSupportedException")
    raise _bad(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{_EDM[left.kind]}' and '{_EDM[right.kind]}' for operator kind '{_KIND_NAMES[word]}'."
    )


def comparable(kind: str, value: Any) -> Any:
    """A stored value in the form filters compare: text without regard to case, numbers as decimals."""
    if value is None or value == "":
        return None
    if kind == "T":
        return value if type(value) is datetime and value.tzinfo else as_instant(value)
    if kind in {"S", "G"}:
        return str(value).rstrip(" ").casefold()
    if kind == "D":
        return value if type(value) is Decimal else Decimal(str(value))
    return value


def _compared(test: Callable[[Any, Any], bool], left: Operand, right: Operand) -> Predicate:
    first, second = left.read, right.read
    if first is not None and second is None:
        return _against(test, left.kind, first, comparable(left.kind, right.value) or _blank(right))
    if first is None and second is not None:
        swapped = {
            operator.gt: operator.lt,
            operator.lt: operator.gt,
            operator.ge: operator.le,
            operator.le: operator.ge,
        }
        return _against(swapped.get(test, test), right.kind, second, comparable(right.kind, left.value) or _blank(left))

    def two_fields(row: Mapping[str, Any]) -> bool | None:
        a, b = (comparable(side.kind, side.read(row)) if side.read else None for side in (left, right))
        return None if a is None or b is None else test(a, b)

    return two_fields


def _blank(constant: Operand) -> Any:
    """The constant itself where `comparable` takes it for empty: zero, false and the empty string are values here."""
    return constant.value


def _against(
    test: Callable[[Any, Any], bool], kind: str, read: Callable[[Mapping[str, Any]], Any], constant: Any
) -> Predicate:
    def against(row: Mapping[str, Any]) -> bool | None:
        value = comparable(kind, read(row))
        return None if value is None else test(value, constant)

    return against


def _text_test(name: str, field: Operand, sought: str) -> Predicate:
    text = sought.casefold()

    def tested(row: Mapping[str, Any]) -> bool | None:
        value = comparable("S", field.read(row)) if field.read else None
        if value is None:
            return None
        if name == "substringof":
            return text in value
        return bool(value.startswith(text) if name == "startswith" else value.endswith(text))

    return tested


def _both(left: Predicate, right: Predicate) -> Predicate:
    def both(row: Mapping[str, Any]) -> bool | None:
        first = left(row)
        if first is False:
            return False
        second = right(row)
        return second if first or second is False else None

    return both


def _either(left: Predicate, right: Predicate) -> Predicate:
    def either(row: Mapping[str, Any]) -> bool | None:
        first = left(row)
        if first:
            return True
        second = right(row)
        return second if first is False or second else None

    return either


def _negated(inner: Predicate) -> Predicate:
    def negated(row: Mapping[str, Any]) -> bool | None:
        found = inner(row)
        return None if found is None else not found

    return negated
