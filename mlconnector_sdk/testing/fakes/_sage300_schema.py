"""What a fake Sage 300 is made of: kinds of properties, tables of them, resources, and what differs by release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

__all__ = ["Column", "Model", "Property", "Release", "Resource", "Table", "release_of", "table"]

Release = tuple[int, int]

_EVER: Release = (0, 0)
_NEVER: Release = (9999, 0)
_DEFAULTS: dict[str, Any] = {"text": "", "date": None, "amount": 0, "int": 0, "flag": False}


def release_of(text: str) -> Release:
    """`2022.2` as something to compare; a year alone is its first release."""
    year, _, update = text.partition(".")
    return int(year), int(update or 0)


@attrs.frozen
class Property:
    """One property of a table: `kind` is text, date, amount, int, flag, choice or rows.

    `width` is the length of the column under a text, `members` are the names of a choice, `rows` names the table of
    a collection. It exists from release `since` on and before release `until`.
    """

    name: str
    kind: str
    width: int = 0
    members: tuple[str, ...] = ()
    rows: str = ""
    since: Release = _EVER
    until: Release = _NEVER

    @property
    def default(self) -> Any:
        """What an empty field shows; a choice is its first member."""
        if self.kind == "choice":
            return self.members[0]
        return [] if self.kind == "rows" else _DEFAULTS[self.kind]


@attrs.frozen
class Table:
    """The properties of one type, in the order of its view."""

    name: str
    properties: tuple[Property, ...]


@attrs.frozen(kw_only=True)
class Resource:
    """A collection in the URL. `writes` are the verbs besides `GET` that the vendor lists for it."""

    name: str
    module: str
    table: str
    keys: tuple[str, ...]
    stamp: str = ""
    writes: frozenset[str] = frozenset()
    since: Release = _EVER


def table(name: str, text: str) -> Table:
    """A table from words `Name:kind`, where kind is a width, `date`, `amount`, `int`, `flag`, `One|Other` or `[Table]`.

    `Name1..5` is a family; `@2020.1` at the end says since which release, `<2019.0` until which.
    """
    return Table(name, tuple(one for word in text.split() for one in _properties(word)))


def _properties(word: str) -> Iterable[Property]:
    word, _, since = word.partition("@")
    word, _, until = word.partition("<")
    name, _, kind = word.partition(":")
    more = {
        "since": release_of(since) if since else _EVER,
        "until": release_of(until) if until else _NEVER,
    }
    stem, dots, last = name.partition("..")
    names = [f"{stem[:-1]}{number}" for number in range(int(stem[-1]), int(last) + 1)] if dots else [name]
    for one in names:
        yield _property(one, kind, more)


def _property(name: str, kind: str, more: Mapping[str, Any]) -> Property:
    if kind.isdigit():
        return Property(name, "text", width=int(kind), **more)
    if kind.startswith("["):
        return Property(name, "rows", rows=kind[1:-1], **more)
    if "|" in kind:
        return Property(name, "choice", members=tuple(kind.split("|")), **more)
    return Property(name, kind, **more)


@attrs.frozen
class Column:
    """A property as this site shows it: `wire` is the name in URLs and answers, `stored` the name in the records."""

    wire: str
    stored: str
    property: Property


class Model:
    """The tables and resources of one release, with what this site lacks, spells otherwise or has besides."""

    def __init__(self, tables: Mapping[str, Table], resources: Mapping[str, Resource], release: Release) -> None:
        self.release = release
        self.resources = {name: one for name, one in resources.items() if one.since <= release}
        self._tables = tables
        self._columns: dict[str, dict[str, Column]] = {}

    def columns(self, table_name: str) -> dict[str, Column]:
        """Columns of a table by their name on the wire, in order."""
        found = self._columns.get(table_name)
        if found is None:
            shown = [p for p in self._tables[table_name].properties if p.since <= self.release < p.until]
            found = self._columns[table_name] = {p.name: Column(p.name, p.name, p) for p in shown}
        return found

    def columns_of(self, resource: str) -> dict[str, Column]:
        return self.columns(self.resources[resource].table)

    def hide(self, resource: str, name: str) -> None:
        """A site, or a release, without that property."""
        del self.columns_of(resource)[name]

    def rename(self, resource: str, name: str, wire: str) -> None:
        """A release that spells a property otherwise; records keep the name they have here."""
        columns = self.columns_of(resource)
        shown = [attrs.evolve(c, wire=wire) if c.wire == name else c for c in columns.values()]
        self._columns[self.resources[resource].table] = {column.wire: column for column in shown}

    def add(self, resource: str, declared: str) -> None:
        """A partner's own property, in the notation of `table`."""
        columns = self.columns_of(resource)
        for one in _properties(declared):
            columns[one.name] = Column(one.name, one.name, one)
