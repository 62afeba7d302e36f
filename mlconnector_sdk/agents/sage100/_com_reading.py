"""Reading through business objects: all keys with their stamps, records by key, and the lines of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from ._boi import Row, Value, Wanted
from ._com_calls import ComObject, bare, parts_of
from ._contract import STAMP_COLUMNS, Key, Resource
from ._errors import AgentError, BoiAnswer
from ._stamps import UNSTAMPED, Stamp, latest

__all__ = ["Columns", "columns_of", "find", "missing", "plain", "rows", "say_key", "scan", "stamp_of", "walk"]

_Place = TypeVar("_Place")
_PAIRS = (("DateCreated", "TimeCreated"), ("DateUpdated", "TimeUpdated"))
_IN_STAMP, _IN_KEY = ",", "|"
"""What separates columns in a result set. Of a key, only the last column may contain the sign itself."""


@attrs.frozen
class Columns:
    """The columns of an object: `wire` has each one's name there, which ends in `$` for text and dates."""

    source: str
    wire: dict[str, str]

    def is_text(self, name: str) -> bool:
        return self.wire[name].endswith("$")

    @property
    def is_stamped(self) -> bool:
        return all(name in self.wire for pair in _PAIRS for name in pair)

    def chosen(self, fields: Sequence[str] | None, always: Sequence[str]) -> list[str]:
        """The columns to read: those that come always, and those asked for that exist, or all."""
        asked = self.wire if fields is None else [name for name in fields if name in self.wire]
        return list(dict.fromkeys((*(name for name in always if name in self.wire), *asked)))


def columns_of(table: ComObject, name: str) -> Columns:
    """What columns an object has, and from which of its data sources its own table comes."""
    sources = parts_of(table.text("sGetDataSources"))
    source = name if name in sources or not sources else sources[0]
    wires = [wire.rpartition(".")[2] for wire in parts_of(table.text("sGetColumns", source))]
    return Columns(source, {wire.removesuffix("$"): wire for wire in wires})


def plain(value: Any, *, is_text: bool) -> Value:
    """A column's value as it is handed out: text without padding, numbers as JSON can say them."""
    if is_text:
        return bare("" if value is None else value)
    number = value if isinstance(value, Decimal) else Decimal(str(value or 0))
    return int(number) if number == number.to_integral_value() else float(number)


def stamp_of(read: Callable[[str], str], columns: Columns) -> Stamp:
    """The stamp of the record an object stands on: the later of created and updated."""
    if not columns.is_stamped:
        return UNSTAMPED
    return latest(*((read(day), read(time)) for day, time in _PAIRS))


# -- all keys -------------------------------------------------------------------------------------------------------


def scan(table: ComObject, resource: Resource, since: str | None) -> Iterator[tuple[Key, Stamp]]:
    """Key and stamp of every record stamped on the day `since` or later, gathered in one pass on Sage 100's side.

    The day can be compared over there, because dates are text of one width; the time cannot.
    """
    columns = columns_of(table, resource.table)
    filtered = since is not None and columns.is_stamped
    condition = f'DateUpdated$>="{since}" OR DateCreated$>="{since}"' if filtered else ""
    stamps = _joined([f"{name}$" for pair in _PAIRS for name in pair], _IN_STAMP) if columns.is_stamped else '"-"'
    keys = _joined([f"{name}$" for name in resource.key], _IN_KEY)
    before = None if filtered else table.number("nGetRecordCount", columns.source)
    code, first, second = table.outputs("nGetResultSets", stamps, keys, seeds=("", ""), tail=(condition, "", ""))
    found, named = parts_of(str(first)), parts_of(str(second))
    # A separator can also be a letter of somebody's contact code; and an object may have no result sets at all.
    if not code or len(found) != len(named) or any(text.count(_IN_KEY) < len(resource.key) - 1 for text in named):
        yield from _walked(table, resource, columns)
        return
    _insist_on_all(table, columns, before, len(named))
    for stamp, key in zip(found, named, strict=True):
        parts = key.split(_IN_KEY, len(resource.key) - 1)
        yield tuple(map(bare, parts)), _stamp_in(stamp) if columns.is_stamped else UNSTAMPED


def _joined(names: Sequence[str], sign: str) -> str:
    return f'+"{sign}"+'.join(names)


def _stamp_in(text: str) -> Stamp:
    created_date, created_time, updated_date, updated_time = text.split(_IN_STAMP, 3)
    return latest((created_date, created_time), (updated_date, updated_time))


def _insist_on_all(table: ComObject, columns: Columns, before: int | None, found: int) -> None:
    """Refuse a scan that stopped early: records that vanish from it would look deleted."""
    if before is None or found >= before:
        return
    after = table.number("nGetRecordCount", columns.source)
    if found < min(before, after):
        boi = BoiAnswer(object=table.name, method="GetResultSets", text=table.message)
        message = f"Sage 100 returned {found} of {after} records of {columns.source}: nothing was handed out, try again"
        raise AgentError("INTERNAL", message, boi=boi)


def _walked(table: ComObject, resource: Resource, columns: Columns) -> Iterator[tuple[Key, Stamp]]:
    def text(name: str) -> str:
        return bare(table.value(f"{name}$", ""))

    before, found = table.number("nGetRecordCount", columns.source), 0
    for key in walk(table, lambda: tuple(text(name) for name in resource.key)):
        found += 1
        yield key, stamp_of(text, columns)
    _insist_on_all(table, columns, before, found)


def walk(table: ComObject, place: Callable[[], _Place]) -> Iterator[_Place]:
    """Go through an object's records, one at a time, and tell where it stands.

    At the end an object may stay on its last record and say that all went well: what comes twice is the end.
    """
    here: _Place | None = None
    moved = table.number("nMoveFirst")
    while moved and not table.number("nEOF"):
        reached = place()
        if reached == here:
            return
        here = reached
        yield reached
        moved = table.number("nMoveNext")


# -- records by key -------------------------------------------------------------------------------------------------


def say_key(table: ComObject, resource: Resource, key: Key) -> None:
    """Name the key that the next search or grasp is for.

    Raises:
        AgentError: Sage 100 does not take it for a key; to leave the record out would make it look deleted.
    """
    named = resource.named(key)
    for name, part in named.items():
        if not table.number("nSetKeyValue", f"{name}$", part):
            message = f"Sage 100 refuses {name} as part of a key"
            raise table.refusal("VALIDATION", message, "nSetKeyValue", column=name, key=named)


def find(table: ComObject, resource: Resource, key: Key) -> bool:
    """Go to a record; false when there is none, also when Sage 100 stops at a neighbour."""
    say_key(table, resource, key)
    if not table.number("nFind"):
        return False
    return all(bare(table.value(f"{name}$", "")) == part for name, part in resource.named(key).items())


def missing(resource: Resource, header: ComObject, lines: ComObject | None, wanted: Wanted) -> list[str]:
    """The columns asked for that are not there."""
    own = columns_of(header, resource.table)
    found = [name for name in wanted.fields or () if name not in own.wire]
    if lines is not None and resource.lines is not None:
        below = columns_of(lines, resource.lines.table)
        found += [name for name in wanted.line_fields or () if name not in below.wire]
    return list(dict.fromkeys(found))


def rows(
    resource: Resource, header: ComObject, lines: ComObject | None, keys: Sequence[Key], wanted: Wanted
) -> Iterator[Row]:
    """The records with these keys, with their lines."""
    columns = columns_of(header, resource.table)
    # The key has been compared when the record was found; each value read is a call to another process.
    chosen = [name for name in columns.chosen(wanted.fields, STAMP_COLUMNS) if name not in resource.key]
    below = columns_of(lines, resource.lines.table) if lines is not None and resource.lines is not None else None
    for key in keys:
        if not find(header, resource, key):
            continue
        row: Row = {**resource.named(key), **_row(header, columns, chosen)}
        row["_stamp"] = stamp_of(lambda name, row=row: str(row[name]), columns).body()  # type: ignore[misc]
        if lines is not None and below is not None:
            row["Lines"] = list(_lines(resource, lines, below, key, wanted.line_fields))
        yield row


def _row(table: ComObject, columns: Columns, names: Sequence[str]) -> Row:
    row: Row = {}
    for name in names:
        is_text = columns.is_text(name)
        row[name] = plain(table.value(columns.wire[name], "" if is_text else 0.0), is_text=is_text)
    return row


def _lines(
    resource: Resource, lines: ComObject, columns: Columns, key: Key, fields: Sequence[str] | None
) -> Iterator[Row]:
    assert resource.lines is not None
    names = resource.lines.key
    chosen = columns.chosen(fields, names)
    if resource.lines.object is not None:
        lines.number(
            "nSetBrowseFilter",
            "".join(part.ljust(width, "\0") for part, width in zip(key, resource.widths, strict=True)),
        )
    for place in walk(lines, lambda: tuple(bare(lines.value(f"{name}$", "")) for name in names)):
        if place[: len(key)] != key:
            message = f"{lines.name} returned lines of another document: nothing was handed out"
            boi = BoiAnswer(object=lines.name, method="SetBrowseFilter", text=lines.message)
            raise AgentError("INTERNAL", message, boi=boi, key=resource.named(key))
        yield _row(lines, columns, chosen)
