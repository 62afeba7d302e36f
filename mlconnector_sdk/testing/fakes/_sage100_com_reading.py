"""Business objects of a fake Business Object Interface, as far as they read: places, values, lists, result sets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ._sage100_com_calls import SEPARATOR, CallableNumber, ComObject, Link, answered, outputs
from ._sage100_com_catalog import INDEXES, BusinessObject
from ._sage100_com_expressions import ExpressionError, Expressions, number_text
from ._sage100_data import Key, Row, Table
from ._sage100_site import Company, User
from ._sage100_tables import Column

__all__ = ["Lines", "Reading"]


class Reading(ComObject):
    """A `_svc` object, or an inquiry: it has a place in its table, and takes no record for itself.

    What it found stays as it was read until it moves.
    """

    def __init__(self, link: Link, entry: BusinessObject, company: Company, user: User) -> None:
        super().__init__(link)
        manner = link.manner
        self._entry = entry
        self._company = company
        self._user = user
        self._table: Table = company.tables[entry.table]
        self._expressions = Expressions(self._table, padded=manner.padded, unset_variables=manner.unset_variables)
        self._columns = {column.addressed.upper(): column for column in self._table.columns.values()}
        self._index: tuple[str, ...] | None = None
        self._indexed: tuple[int, list[Key]] | None = None
        self._filter = ""
        self._place: Key | None = None
        self._record: Row | None = None
        self._key_values: dict[str, str] = {}
        self._ended = False

    def __getattr__(self, name: str) -> Any:
        if name == "nGetOrigRecord$":
            return self.sGetOrigRecord
        raise AttributeError(f"<unknown>.{name}")

    # -- what there is ------------------------------------------------------------------------------------------

    @answered()
    def sGetDataSources(self) -> str:
        return self._table.name

    @answered()
    def sGetColumns(self, source: str) -> str:
        """All columns of a data source, texts and dates with their dollar sign."""
        if source.upper() != self._table.name.upper():
            self._refuse(self._texts.not_found)
            return ""
        return SEPARATOR.join(column.addressed for column in self._table.columns.values())

    @answered()
    def sGetKeyColumns(self) -> str:
        return SEPARATOR.join(self._table.columns[name].addressed for name in self._table.key)

    @answered()
    def nGetRecordCount(self, source: str) -> int:
        return len(self._table) if source.upper() == self._table.name.upper() else self._refuse(self._texts.not_found)

    # -- moving -------------------------------------------------------------------------------------------------

    @answered()
    def nSetIndex(self, name: str) -> int:
        columns = INDEXES.get(self._table.name, {}).get(name.upper())
        if columns is None:
            return self._refuse(self._texts.not_found)
        self._index, self._indexed, self._place = columns, None, None
        return 1

    @answered()
    def nSetBrowseFilter(self, beginning: str) -> int:
        """Let `nMoveFirst` and `nMoveNext` see those records alone whose raw key begins so."""
        self._filter, self._place = beginning, None
        return 1

    @answered()
    def nMoveFirst(self) -> int:
        return self._move(None)

    @answered()
    def nMoveNext(self) -> int:
        return self._move(self._place)

    @property
    def nEOF(self) -> CallableNumber:
        """1 behind the last record."""
        self._link.enter("nEOF")
        return CallableNumber(self._ended)

    def _leave(self) -> None:
        """Let go of what the object does with its record, before it goes to another."""

    def _move(self, place: Key | None) -> int:
        self._leave()
        entries, beginning = self._entries(), self._beginning()
        if place is None:
            at = bisect_left(entries, beginning, key=lambda entry: self._raw(entry)[: len(beginning)])
        else:
            at = bisect_right(entries, place)
        if at < len(entries) and self._raw(entries[at]).startswith(beginning):
            self._place, self._ended = entries[at], False
            self._load(entries[at][-len(self._table.key) :])
            return 1
        if place is not None and self._link.manner.repeats_last:
            return 1
        self._ended = True
        return 0

    def _entries(self) -> list[Key]:
        """Index values of all records, in order; each ends with the record's key."""
        if self._index is None:
            return self._table.keys_in_order()
        if self._indexed is None or self._indexed[0] != self._table.changes:
            rows = self._table.rows.items()
            found = [(*(str(row[name]) for name in self._index), *key) for key, row in rows]
            self._indexed = (self._table.changes, sorted(found))
        return self._indexed[1]

    def _beginning(self) -> str:
        """How the raw keys begin that can be moved to."""
        return self._filter

    def _raw(self, entry: Key) -> str:
        """An entry as the index keeps it: every part filled with NUL bytes to its width."""
        names = self._table.key if self._index is None else self._index
        columns = self._table.columns
        return "".join(part.ljust(columns[name].width, "\0") for part, name in zip(entry, names, strict=False))

    def _load(self, key: Key) -> None:
        found = self._table.get(key)
        self._record = None if found is None else Row(self._table.columns, found)

    # -- keys ---------------------------------------------------------------------------------------------------

    @answered()
    def nSetKeyValue(self, column: str, value: str) -> int:
        """Say one part of a key that `nFind` or `nSetKey` shall go to."""
        known = self._columns.get(column.upper())
        if known is None or known.name not in self._table.key or not isinstance(value, str):
            return self._refuse(self._texts.not_found)
        self._key_values[known.name] = value.rstrip("\0 ")
        return 1

    @answered()
    def nFind(self, key: str | None = None) -> int:
        """Go to a record without taking it: 1 found, 0 not."""
        self._leave()
        parts = self._wanted(key)
        found = None if parts is None else self._table.get(parts)
        if parts is None or found is None:
            self._record = None
            return self._refuse(self._texts.not_found)
        self._stand_on(parts)
        return 1

    @answered()
    def nSetKey(self, key: str | None = None) -> int:
        """The same as `nFind` on an object that only reads."""
        return int(self.nFind() if key is None else self.nFind(key))

    def _stand_on(self, key: Key) -> None:
        self._index, self._place, self._ended = None, key, False
        self._load(key)

    def _wanted(self, raw: str | None) -> Key | None:
        """The key that was given, or said part by part; `None` if a part is missing."""
        values, self._key_values = self._key_values, {}
        if raw is not None:
            values = self._parts(raw)
        parts = tuple(values.get(name, "") for name in self._table.key)
        return parts if all(parts) else None

    def _parts(self, raw: str) -> dict[str, str]:
        values, at = {}, 0
        for name in self._table.key:
            width = self._table.columns[name].width
            values[name] = raw[at : at + width].rstrip("\0 ")
            at += width
        return values

    @answered()
    def nClear(self) -> int:
        self._record, self._key_values = None, {}
        return 1

    @property
    def position(self) -> Key | None:
        """The key of the current record, if there is one."""
        return None if self._record is None else self._table.key_of(self._record)

    @property
    def oLines(self) -> Lines:
        """The lines of the current record; of all records, where there is no current one."""
        if self._entry.lines is None:
            raise AttributeError("oLines")
        self._link.enter("oLines")
        return self._open_lines(BusinessObject(f"{self._entry.lines}_bus", self._entry.lines, self._entry.task))

    def _open_lines(self, entry: BusinessObject) -> Lines:
        return Lines(self._link, entry, self._company, self._user, header=self)

    # -- values -------------------------------------------------------------------------------------------------

    @answered(1)
    def nGetValue(self, column: str, value: Any) -> Any:
        """`(1, value)` of a column of the current record.

        A text or date column must be named with its dollar sign and a numeric one without; a number comes as text where
        the second argument is one.
        """
        found = self._columns.get(column.upper())
        if found is None or self._record is None:
            self._refuse(self._texts.not_found if found is None else self._texts.no_record)
            return outputs(0, [value], [value])
        return outputs(1, [value], [self._shown(found, self._record, as_text=_wants_text(value))])

    def _shown(self, column: Column, record: Mapping[str, Any], *, as_text: bool) -> Any:
        value = record[column.name]
        if column.kind == "number":
            return number_text(value) if as_text else _com_number(value)
        if self._link.manner.padded and column.name in self._table.key[:-1]:
            return str(value).ljust(column.width, "\0")
        return value

    @answered(2)
    def nGetRecord(self, record: Any, other: Any) -> Any:
        """`(1, record, "")`: all values of the current record joined by the separator; the second is not known."""
        if self._record is None:
            self._refuse(self._texts.no_record)
            return outputs(0, [record, other], ["", ""])
        return outputs(1, [record, other], [self._joined(), ""])

    @answered()
    def sGetOrigRecord(self) -> str:
        """The record as it was read; `nGetOrigRecord$` by its name."""
        return "" if self._record is None else self._joined()

    def _joined(self) -> str:
        record = self._record
        assert record is not None
        values = [self._shown(column, record, as_text=True) for column in self._table.columns.values()]
        return SEPARATOR.join(map(str, values))

    # -- result sets --------------------------------------------------------------------------------------------

    @answered(2)
    def nGetResultSets(
        self, one: str, other: str, first: Any, second: Any, condition: str = "", begin: str = "", end: str = ""
    ) -> Any:
        """`(1, texts, texts)`: two expressions over all records that fit, each list joined by the separator.

        `begin` and `end` are raw keys, both included.

        Raises:
            com_error: ProvideX cannot run an expression.
        """
        try:
            readers = self._expressions.text(one), self._expressions.text(other)
            rows = self._expressions.rows(self._expressions.condition(condition))
        except ExpressionError as error:
            raise self._link.fail(str(error)) from None
        left, right = readers
        pairs = [(left(row), right(row)) for row in self._between(rows, begin, end)]
        ending = SEPARATOR if pairs and self._link.manner.last_separator else ""
        lists = [SEPARATOR.join(pair[side] for pair in pairs) + ending for side in (0, 1)]
        return outputs(1, [first, second], lists)

    def _between(self, rows: Iterator[Row], begin: str, end: str) -> Iterator[Row]:
        if not begin and not end:
            return rows
        table = self._table
        keyed = ((table.raw_key(table.key_of(row)), row) for row in rows)
        low, high = begin.rstrip("\0"), end.rstrip("\0")
        return (row for raw, row in keyed if low <= raw and (not high or raw <= high or raw.startswith(high)))


class Lines(Reading):
    """What `oLines` is: the object of a detail table, which sees the lines of its header's record."""

    def __init__(self, link: Link, entry: BusinessObject, company: Company, user: User, *, header: Reading) -> None:
        super().__init__(link, entry, company, user)
        self._header = header

    def _beginning(self) -> str:
        key = self._header.position
        return self._filter or ("" if key is None else self._raw(key))


def _wants_text(placeholder: Any) -> bool:
    return isinstance(getattr(placeholder, "value", placeholder), str)


def _com_number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
