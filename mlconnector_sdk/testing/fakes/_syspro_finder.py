"""The generic business objects: COMFND finds rows of any table, COMFCH fetches one, COMBRW browses.

Names are case-sensitive, numbers come right-aligned, and nothing says what the site does not know: wordings of refusals
are ours, that they begin with `ERROR` is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import attrs

from ._syspro_conditions import EVERYTHING, Test, both, comparable, compared, either, select
from ._syspro_data import Database, Row
from ._syspro_documents import Element, children, document, read, text_of
from ._syspro_sessions import EnetError
from ._syspro_tables import CONTACT, Column, Table, is_text
from ._syspro_text import NullDates, element, padded, xml_row

__all__ = ["Finder", "browse", "fetch"]

_QUERY = ("TableName", "ReturnRows", "Columns", "Where", "OrderBy")
_EXPRESSIONS = (
    ("OpenBracket", "AndOr", "Column", "Condition", "Value", "CloseBracket"),
    ("AndOr", "OpenBracket", "Column", "Condition", "Value", "CloseBracket"),
)
_CONDITIONS = ("GT", "GE", "LT", "LE", "EQ", "NE")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@attrs.frozen(kw_only=True)
class Finder:
    """COMFND as a site is set up.

    Attributes:
        null_dates: how a date that is not there is shown.
        row_cap: no more rows come than this, silently.
        hidden: columns left out of the rows, by table.
    """

    base: Database
    release: str
    null_dates: NullDates
    row_cap: int | None
    hidden: Mapping[str, Collection[str]]

    def find(self, xml: str) -> str:
        """Chosen columns of matching rows, all of them when `ReturnRows` is absent.

        Raises:
            EnetError: the request does not follow the schema, or names what is not there.
        """
        asked = children(read(xml, "Query"), _QUERY)
        table = _table(self.base, text_of(asked, "TableName"))
        columns = [_column(table, name) for name in _names(asked, "Columns")]
        if not columns:
            raise EnetError("At least one Column is required")
        order = [_column(table, name) for name in _names(asked, "OrderBy")]
        test = _where(table, asked["Where"][0]) if "Where" in asked else EVERYTHING
        shown = [column for column in columns if column.name not in self.hidden.get(table.name, ())]
        write = xml_row(shown, self.null_dates)
        rows = islice(select(self.base, table.name, test, [(one.name, False) for one in order]), self._limit(asked))
        found = [f"<Row>\n{write(row)}</Row>\n" for row in rows]
        head = [f"<HeaderDetails>\n{element('TableName', table.name)}\n", _listed("Columns", columns)]
        tail = [_listed("OrderBy", order)] if order else []
        count = f"<RowsReturned>{padded(len(found), 8)}</RowsReturned>\n"
        return document(_root(table), f"{self.release}.053", [*head, *tail, "</HeaderDetails>\n", *found, count])

    def _limit(self, asked: Mapping[str, list[Element]]) -> int | None:
        wanted = _whole(text_of(asked, "ReturnRows"), "ReturnRows") if "ReturnRows" in asked else None
        limits = [limit for limit in (wanted, self.row_cap) if limit is not None]
        return min(limits) if limits else None


def fetch(base: Database, xml: str, release: str, null_dates: NullDates) -> str:
    """COMFCH: one row by its whole key, every column but the rowversion."""
    names = ("TableName", "Key", "FullKeyProvided", "DefaultType", "EspressoFetch")
    asked = children(read(xml, "Fetch"), names)
    table = _table(base, text_of(asked, "TableName"))
    if len(table.keys) != 1 or text_of(asked, "FullKeyProvided") != "Y":
        raise EnetError("Only whole keys of one part are served")
    row = base.stores[table.name].get(text_of(asked, "Key"))
    if row is None:
        raise EnetError(f"{table.name} key not found")
    columns = [column for column in table.columns.values() if column.kind != "timestamp"]
    return document(_root(table), f"{release}.035", [xml_row(columns, null_dates)(row)])


def browse(base: Database, xml: str, release: str, browses: Mapping[str, tuple[str, ...]]) -> str:
    """COMBRW: a page of a browse that the server has been set up with."""
    asked = children(read(xml, "Browse"), ("BrowseName", "StartAtKey", "StartCondition", "ReturnRows"))
    name = text_of(asked, "BrowseName")
    if name not in browses:
        raise EnetError(f"Browse {name} is not configured")
    table = base.tables[name]
    key = table.keys[0]
    start = text_of(asked, "StartAtKey", required=False)
    word = text_of(asked, "StartCondition", required=False) or "GE"
    if word not in {"GR", "GE"}:
        raise EnetError(f"StartCondition {word} is not served")
    size = _whole(text_of(asked, "ReturnRows", required=False) or "20", "ReturnRows")
    everything = list(select(base, name, EVERYTHING, [(key, False)]))
    first = next((n for n, row in enumerate(everything) if _reached(row[key], start, word)), len(everything))
    rows = everything[first : first + size]
    cells = [_cells(row, [table.columns[one] for one in browses[name]]) for row in rows]
    edges = [str(rows[0][key]), str(rows[-1][key])] if rows else [start, start]
    more = {"Fwd": first + size < len(everything), "Back": first > 0 and bool(rows)}
    parts = [f"<Title>{name}</Title>\n", *cells, "<NextPrevKey>\n", *_lines({"PrevKey": edges[0], "NextKey": edges[1]})]
    parts += [*_lines({word: str(on) for word, on in more.items()}), "</NextPrevKey>\n", "<HeaderDetails>\n"]
    parts += [f"<Header>{one}</Header>\n" for one in browses[name]]
    parts += [*_lines({"Key": key, "KeyDescription": key, "Table": name}), "</HeaderDetails>\n"]
    return document(name, f"{release}.038", parts)


def _reached(key: str, start: str, word: str) -> bool:
    return key > start if word == "GR" else key >= start


def _cells(row: Row, columns: list[Column]) -> str:
    texts = [f"<{c.name}>\n{element('Value', str(row.get(c.name) or '').rstrip())}\n" for c in columns]
    closed = [f"{text}<DataType>AlphaNumeric</DataType>\n</{c.name}>\n" for text, c in zip(texts, columns, strict=True)]
    return f"<Row>\n{''.join(closed)}</Row>\n"


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{element(name, text)}\n" for name, text in values.items()]


def _listed(name: str, columns: list[Column]) -> str:
    return "".join([f"<{name}>\n", *(f"<Column>{column.name}</Column>\n" for column in columns), f"</{name}>\n"])


def _root(table: Table) -> str:
    """A plus cannot stand in an element's name."""
    return table.name.replace("+", "_")


def _table(base: Database, name: str) -> Table:
    if name == CONTACT or name not in base.tables:
        raise EnetError(f"Table {name} does not exist")
    return base.tables[name]


def _column(table: Table, name: str) -> Column:
    column = table.columns.get(name)
    # That the finder shows rowversions was never seen; the fetch of a whole row leaves them out.
    if column is None or column.kind == "timestamp":
        raise EnetError(f"Column {name} does not exist in {table.name}")
    return column


def _names(asked: Mapping[str, list[Element]], part: str) -> list[str]:
    if part not in asked:
        return []
    found = children(asked[part][0], ("Column",), many=("Column",))
    return [one.text or "" for one in found.get("Column", ())]


def _whole(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise EnetError(f"{name} is not a number")
    return int(text)


def _where(table: Table, where: Element) -> Test:
    """`Where` as a test: `And` binds closer than `Or`, brackets closer still."""
    expressions = children(where, ("Expression",), many=("Expression",)).get("Expression", [])
    if not expressions:
        raise EnetError("Where has no Expression")
    tokens: list[Any] = []
    for number, expression in enumerate(expressions):
        tokens += _expression(table, expression, first=number == 0)
    parser = _Brackets(tokens)
    test = parser.alternatives()
    if parser.tokens:
        raise EnetError("The brackets of Where do not match")
    return test


def _expression(table: Table, expression: Element, *, first: bool) -> list[Any]:
    names = [child.tag for child in expression]
    sequence = next((one for one in _EXPRESSIONS if [n for n in one if n in names] == names), None)
    if sequence is None:
        raise EnetError(f"Expression does not take {', '.join(names)} in this order")
    parts = children(expression, sequence)
    glue = text_of(parts, "AndOr", required=False) or "And"
    opened, closed = (text_of(parts, name, required=False) for name in ("OpenBracket", "CloseBracket"))
    if glue not in {"And", "Or"} or set(opened) - {"("} or set(closed) - {")"} or len(opened + closed) > 6:
        raise EnetError("Expression has an AndOr or bracket that is not valid")
    word = text_of(parts, "Condition")
    if word not in _CONDITIONS:
        raise EnetError(f"Condition {word} is not valid")
    column = _column(table, text_of(parts, "Column"))
    test = compared(column, word.lower(), _value(column, text_of(parts, "Value")))
    return [*([] if first else [glue]), *opened, test, *closed]


def _value(column: Column, text: str) -> Any:
    """A value in the column's comparable form."""
    if is_text(column):
        return comparable(column)(text)
    if column.kind in {"decimal", "bigint"}:
        try:
            return Decimal(text.strip())
        except InvalidOperation:
            raise EnetError(f"Value of {column.name} is not a number") from None
    if column.kind in {"datetime", "day"} and _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise EnetError(f"Value of {column.name} is not valid")


class _Brackets:
    """`And`, `Or`, brackets and tests in a row."""

    def __init__(self, tokens: list[Any]) -> None:
        self.tokens = tokens

    def alternatives(self) -> Test:
        left = self.conditions()
        while self._takes("Or"):
            left = either(left, self.conditions())
        return left

    def conditions(self) -> Test:
        left = self.condition()
        while self._takes("And"):
            left = both(left, self.condition())
        return left

    def condition(self) -> Test:
        if self._takes("("):
            inside = self.alternatives()
            if not self._takes(")"):
                raise EnetError("The brackets of Where do not match")
            return inside
        # Every expression has a test, so one stands behind each bracket and each word.
        test: Test = self.tokens.pop(0)
        return test

    def _takes(self, word: str) -> bool:
        if self.tokens and self.tokens[0] == word:
            self.tokens.pop(0)
            return True
        return False
