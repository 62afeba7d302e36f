"""A fake Sage X3 folder seen through the nodes of a GraphQL schema: rows, identifiers, references and collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Protocol, TypeAlias

import attrs

from ._sagex3_schema import ENUMS, Node, Property, Release
from ._sagex3_site import SageX3Site
from ._sagex3_tables import PARTNER

__all__ = ["Folder", "Forms", "Read", "RowLike"]

_YES = 2
_TYPES: Mapping[str, tuple[type, ...]] = {
    "Boolean": (bool,),
    "Int": (int,),
    "Decimal": (Decimal, int),
    "Date": (date,),
    "Datetime": (datetime,),
}


class RowLike(Protocol):
    """Anything that gives a value by field code."""

    def __getitem__(self, name: str, /) -> Any: ...


Read: TypeAlias = Callable[[RowLike], Any]


@attrs.define(kw_only=True)
class Forms:
    """How values are written, as far as that is not established.

    Attributes:
        milliseconds: whether moments have three digits of parts of a second.
        empty_slots: whether collections of occurrences, such as the five e-mails of an address, hold the empty ones.
        menus: names of local-menu values by enumeration, where a site's differ from the standard ones.
    """

    milliseconds: bool = True
    empty_slots: bool = True
    menus: dict[str, dict[int, str]] = attrs.field(factory=dict)

    def menu(self, name: str) -> dict[int, str]:
        """Names by value."""
        standard = {value: word for value, word in enumerate(ENUMS[name], 1) if word}
        return self.menus.get(name) or standard

    def written(self, value: Any) -> Any:
        """A value as JSON holds it."""
        if isinstance(value, Decimal):
            return f"{value.normalize():f}" if value else "0"
        if isinstance(value, datetime):
            return f"{value:%Y-%m-%dT%H:%M:%S}{f'.{value.microsecond // 1000:03d}' if self.milliseconds else ''}Z"
        return value.isoformat() if isinstance(value, date) else value


class _Slot:
    """One occurrence of a row's field: `INDEX` counts from 1."""

    __slots__ = ("_column", "_index", "_row")

    def __init__(self, row: RowLike, column: str, index: int) -> None:
        self._row = row
        self._column = column
        self._index = index

    def __getitem__(self, name: str) -> Any:
        if name == "INDEX":
            return self._index + 1
        return self._row[name][self._index] if name == self._column else self._row[name]


class _Joined:
    """A row completed by the row of a second table."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: RowLike, second: RowLike) -> None:
        self._first = first
        self._second = second

    def __getitem__(self, name: str) -> Any:
        try:
            return self._first[name]
        except KeyError:
            return self._second[name]


class Folder:
    """One release's view of a site."""

    def __init__(self, site: SageX3Site, release: Release, forms: Forms) -> None:
        self.site = site
        self.release = release
        self.forms = forms

    def node(self, name: str) -> Node:
        return self.release.nodes[name]

    # -- rows -------------------------------------------------------------------------------------------------------

    def rows(self, node: Node) -> list[RowLike]:
        """All rows of a node, in the order of their keys."""
        rows: list[RowLike] = self.site.cached(("graphql rows", self.release.name, node.name), lambda: self._rows(node))
        return rows

    def _rows(self, node: Node) -> list[RowLike]:
        rows: list[Any] = self.site.rows(node.table)
        if node.owner:
            owners = self.site.stores[node.owner]
            rows = [row for row in rows if row["BPATYP"] == PARTNER and row["BPANUM"] in owners]
        return [self._joined(node, row) for row in rows] if node.joined else list(rows)

    def _joined(self, node: Node, row: RowLike) -> RowLike:
        header, *line = [row[name] for name in node.keys]
        found = self.site.row(node.joined, header) if not line else None
        for other in self.site.lines(node.joined, header) if line else ():
            if other[self.site.tables[node.joined].keys[1]] == line[0]:
                found = other
                break
        return _Joined(row, found if found is not None else _blank(self.site, node.joined))

    def find(self, node: Node, key: tuple[Any, ...]) -> RowLike | None:
        """The row with that key; a code that this site keeps no table of is always there."""
        if not node.table:
            return _code_row(node.keys[0], str(key[0]))
        row = self.site.row(node.table, *key)
        return self._joined(node, row) if row is not None and node.joined else row

    def by_id(self, node: Node, identifier: str) -> RowLike | None:
        """The row with that `_id`."""
        place = ("graphql ids", self.release.name, node.name)
        read = self.identifier(node)
        known: dict[str, RowLike] = self.site.cached(place, lambda: {read(row): row for row in self.rows(node)})
        return known.get(identifier)

    def identifier(self, node: Node) -> Read:
        """Reads the `_id`: the key itself, or the parts of a composite one, which clients have to take as opaque."""
        if len(node.keys) == 1:
            return itemgetter(node.keys[0])
        parts = itemgetter(*node.keys)
        return lambda row: "|".join([str(part) for part in parts(row)])

    # -- properties -------------------------------------------------------------------------------------------------

    def value(self, node: Node, prop: Property) -> Read:
        """Reads a value property, in the Python type that it is compared in; anything else is as the row has it."""
        path, _, column = prop.source.partition(".")
        if path in node.properties:
            return self._through(node, node.properties[path], attrs.evolve(prop, source=column))
        read: Read = itemgetter(path)
        if column:
            read = _occurrence(path, int(column))
        if prop.type == "Boolean":
            return lambda row: read(row) == _YES
        if prop.type in ENUMS:
            names = self.forms.menu(prop.type)
            return lambda row: names.get(read(row))
        return _as_text(read) if prop.name == "_etag" else read

    def _through(self, node: Node, reference: Property, prop: Property) -> Read:
        follow = self.target(node, reference)
        read = self.value(self.node(reference.type), prop)

        def value(row: RowLike) -> Any:
            found = follow(row)
            return None if found is None else read(found)

        return value

    def comparable(self, node: Node, prop: Property) -> Read:
        """Reads a value for comparison: nothing where the row holds what the property's type does not take."""
        read = self.value(node, prop)
        kinds = _TYPES.get(prop.type, (str,))

        def value(row: RowLike) -> Any:
            found = read(row)
            return found if isinstance(found, kinds) else None

        return value

    def output(self, node: Node, prop: Property) -> Read:
        """Reads a value as JSON holds it."""
        read = self.value(node, prop)
        if prop.type in {"Decimal", "Date", "Datetime"}:
            written = self.forms.written
            return lambda row: written(read(row))
        return read

    def target(self, node: Node, prop: Property) -> Read:
        """Follows a reference; nothing where the key is blank, or leads to a row that is not there."""
        path, _, column = prop.source.partition(".")
        if path in node.properties:
            follow = self.target(node, node.properties[path])
            then = self.target(self.node(node.properties[path].type), attrs.evolve(prop, source=column))

            def through(row: RowLike) -> Any:
                found = follow(row)
                return None if found is None else then(found)

            return through
        goal = self.node(prop.type)
        parts = [int(part[1:]) if part.startswith("@") else part for part in prop.source.split(",")]

        def find(row: RowLike) -> RowLike | None:
            key = tuple(part if isinstance(part, int) else row[part] for part in parts)
            return self.find(goal, key) if all(key) else None

        return find

    def members(self, node: Node, prop: Property) -> Callable[[RowLike], list[RowLike]]:
        """Reads the rows of a collection, in the order of their keys."""
        if prop.kind == "occurrences":
            return self._slots(prop.source)
        theirs, _, ours = prop.source.partition(":")
        goal = self.node(prop.type)

        def rows(row: RowLike) -> list[RowLike]:
            found = self.site.rows_with(goal.table, theirs, row[ours])
            if goal.owner:
                return [one for one in found if one["BPATYP"] == PARTNER]
            return [self._joined(goal, one) for one in found] if goal.joined else list(found)

        return rows

    def _slots(self, column: str) -> Callable[[RowLike], list[RowLike]]:
        def rows(row: RowLike) -> list[RowLike]:
            values = row[column]
            return [_Slot(row, column, i) for i, value in enumerate(values) if value or self.forms.empty_slots]

        return rows


def _occurrence(column: str, index: int) -> Read:
    return lambda row: row[column][index]


def _as_text(read: Read) -> Read:
    return lambda row: str(read(row))


def _code_row(column: str, code: str) -> RowLike:
    none: dict[str, Any] = dict.fromkeys(("CREDATTIM", "UPDDATTIM"))
    return {**none, "CREUSR": "", "UPDUSR": "", "UPDTICK": 1, "TEXT": "", column: code}


def _blank(site: SageX3Site, table: str) -> RowLike:
    return {name: column.blank for name, column in site.tables[table].columns.items()}
