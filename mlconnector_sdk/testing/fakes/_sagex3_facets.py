"""Facets of a fake Sage X3's representations: what a row looks like in JSON, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from ._sagex3_representations import LINES, Dimensions, Field, Representation, fields_of, joined
from ._sagex3_site import Row, SageX3Site
from ._sagex3_tables import Column, Kind
from ._sagex3_where import Property

__all__ = ["Facet", "Looks", "as_moment", "facet_of"]

Read: TypeAlias = Callable[[Row], Any]


@attrs.define(kw_only=True)
class Looks:
    """How the site writes values. What is not established is a setting.

    Attributes:
        query_dimensions, details_dimensions: fields that occur several times, where the representation does not say.
        no_date: an empty day or moment: `None`, `""`, `"0000-00-00"`, `"1599-12-31"` (Oracle), `"1753-01-01"`
            (SQL Server), or `"missing"` for no property at all.
        padded: texts are filled with blanks to the length of their column.
        etags: rows carry `$etag`, their last change.
        line_names: what the collection of a document's lines is called, by the table of the document.
    """

    query_dimensions: Dimensions = "array"
    details_dimensions: Dimensions = "array"
    no_date: str | None = None
    padded: bool = False
    etags: bool = True
    line_names: dict[str, str] = attrs.field(factory=lambda: {table: name for table, (name, _) in LINES.items()})


@attrs.frozen
class _Shown:
    """A property as it is written: `column` tells its type; `several` that it holds all occurrences of a field."""

    name: str
    column: Column
    read: Read
    hidden: bool
    several: bool = False


@attrs.frozen
class Facet:
    """One facet: `render` writes a row, `properties` may be named in `where`, and in `orderBy` as well.

    Attributes:
        prototype: what `$prototypes` says of each property.
    """

    render: Callable[[Row], dict[str, Any]]
    properties: Mapping[str, Property]
    prototype: Mapping[str, Mapping[str, Any]]


_CURRENCIES = {"EUR": ("Euro", "€"), "USD": ("US Dollar", "$"), "GBP": ("Pound sterling", "£"), "JPY": ("Yen", "¥")}
_CATEGORIES = {"FR": "French customers", "EXP": "Export", "SHOP": "Shops", "GOODS": "Goods", "SERV": "Services"}
_IN_LISTS = frozenset({"CRY"})
_IN_DETAILS = frozenset({"CRY", "CUR", "BCGCOD", "BSGCOD", "BPCORD"})
_INTERNAL = frozenset({"UPDTICK", "AUUID", "EXPNUM"})
_TITLES = {"BPCNUM": "Customer", "BPCNAM": "Company name", "UPDDATTIM": "Modified on", "CREDATTIM": "Created on"}
_JSON_TYPES: Mapping[Kind, str] = {"text": "string", "menu": "choice", "int": "integer", "amount": "decimal",
                                   "day": "date", "moment": "datetime", "uuid": "uuid"}  # fmt: skip


def as_moment(moment: datetime) -> str:
    """UTC with a `Z`, without parts of a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def facet_of(site: SageX3Site, representation: Representation, table: str, kind: str, looks: Looks) -> Facet:
    """The `"$query"` or `"$details"` facet of a representation.

    Raises:
        ValueError: the representation names a field or join that is not there.
    """
    fields = fields_of(site, table, representation.query)
    details = kind == "$details"
    if details:
        listed = {field.name for field in fields}
        own = (column for name, column in site.tables[table].columns.items() if name not in {*listed, *_INTERNAL})
        fields = [*(attrs.evolve(field, hidden=False) for field in fields), *(Field(one.name, "", one) for one in own)]
    form = representation.dimensions or (looks.details_dimensions if details else looks.query_dimensions)
    shown = [one for field in fields for one in _shown(field, _reader(site, table, field), form)]
    extras = _references(site, shown, _IN_DETAILS if details else _IN_LISTS)
    if table in LINES and (details or representation.lines):
        extras.append(_lines(site, table, looks))
    return Facet(
        render=_renderer(shown, extras, looks),
        properties={one.name: Property(one.column.kind, one.read) for one in shown if not one.several},
        prototype={one.name: _description(one) for one in shown},
    )


def _reader(site: SageX3Site, table: str, field: Field) -> Read:
    name, blank = field.column.name, field.column.blank
    if not field.join:
        return lambda row: row[name]
    find = joined(site, table, field.join)[1]

    def read(row: Row) -> Any:
        other = find(row)
        return blank if other is None else other[name]

    return read


def _shown(field: Field, read: Read, form: Dimensions) -> list[_Shown]:
    column = field.column
    if column.count == 1:
        return [_Shown(field.name, column, read, field.hidden)]
    single = attrs.evolve(column, count=1)
    if field.occurrence is not None:
        return [_Shown(field.name, single, _occurrence(read, field.occurrence - 1), field.hidden)]
    if form in {"array", "objects"}:
        whole = read if form == "array" else _objects(read, field.name)
        return [_Shown(field.name, column, whole, field.hidden, several=True)]
    first, mark = (0, "_") if form == "from zero" else (1, "")
    return [
        _Shown(f"{field.name}{mark}{first + at}", single, _occurrence(read, at), field.hidden)
        for at in range(column.count)
    ]


def _objects(read: Read, name: str) -> Read:
    return lambda row: [{name: value} for value in read(row)]


def _occurrence(read: Read, at: int) -> Read:
    return lambda row: read(row)[at]


# -- values -----------------------------------------------------------------------------------------------------------


def _renderer(shown: list[_Shown], extras: list[tuple[str, Read]], looks: Looks) -> Callable[[Row], dict[str, Any]]:
    write = _writer(looks)
    visible = [(one.name, one.read, one.column) for one in shown if not one.hidden]
    leaves_out = looks.no_date == "missing"

    def render(row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, read, column in visible:
            value = read(row)
            if value is None and leaves_out and column.kind in {"day", "moment"}:
                continue
            found[name] = write(value, column)
        for name, read in extras:
            value = read(row)
            if value is not None:
                found[name] = value
        return found

    return render


def _writer(looks: Looks) -> Callable[[Any, Column], Any]:
    padded, no_date = looks.padded, looks.no_date

    def write(value: Any, column: Column) -> Any:
        if type(value) is str:
            return value.ljust(column.size) if padded else value
        if type(value) is tuple:
            return [write(one, column) for one in value]
        if type(value) is list:
            return [{name: write(one, column) for name, one in entry.items()} for entry in value]
        if value is None and column.kind in {"day", "moment"}:
            return _no_date(no_date, column.kind)
        return _plain(value)

    return write


def _no_date(form: str | None, kind: Kind) -> str | None:
    return f"{form}T00:00:00Z" if form and kind == "moment" else form


def _plain(value: Any) -> Any:
    """A value as JSON has it; what no field could hold goes out as it is."""
    if type(value) is Decimal:
        return int(value) if value == value.to_integral_value() else float(value)
    if type(value) is datetime:
        return as_moment(value)
    if type(value) is date:
        return value.isoformat()
    return value if value is None or isinstance(value, int | float | str | list | dict) else str(value)


# -- references and lines ---------------------------------------------------------------------------------------------


def _references(site: SageX3Site, shown: list[_Shown], names: frozenset[str]) -> list[tuple[str, Read]]:
    return [
        (f"{one.name}_REF", _reference(site, one))
        for one in shown
        if one.column.name in names and not one.hidden and not one.several
    ]


def _reference(site: SageX3Site, one: _Shown) -> Read:
    kind, read = one.column.name, one.read

    def find(row: Row) -> dict[str, str] | None:
        code = read(row)
        if kind == "CUR" and code in _CURRENCIES:
            title, symbol = _CURRENCIES[code]
            return {"$title": title, "$key": code, "$symbol": symbol}
        if kind == "CRY" and (country := site.row("TABCOUNTRY", code)) is not None:
            return {"$title": country["CRYDES"], "$key": code}
        if kind == "BPCORD" and (customer := site.row("BPCUSTOMER", code)) is not None:
            return {"$title": customer["BPCNAM"], "$key": code}
        return {"$title": _CATEGORIES[code], "$key": code} if kind.endswith("GCOD") and code in _CATEGORIES else None

    return find


def _lines(site: SageX3Site, table: str, looks: Looks) -> tuple[str, Read]:
    """The collection of a document's lines: rows of one table, completed by those of another with the same number."""
    name, (first, *others) = looks.line_names[table], LINES[table][1]
    document, number = site.tables[first].keys
    hidden = {*_INTERNAL, document, "CREUSR", "UPDUSR", "CREDAT", "UPDDAT", "CREDATTIM", "UPDDATTIM"}
    columns = [column for code, column in site.tables[first].columns.items() if code not in hidden]
    write = _writer(looks)

    def line(row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {"$uuid": str(row["AUUID"])} if row["AUUID"] else {}
        found |= {column.name: write(row[column.name], column) for column in columns}
        for other in others:
            twin = site.row(other, row[document], row[number], 1)
            if twin is not None:
                skipped = {*hidden, *found, *site.tables[other].keys}
                codes = (one for code, one in site.tables[other].columns.items() if code not in skipped)
                found |= {column.name: write(twin[column.name], column) for column in codes}
        return found

    return name, lambda row: [line(one) for one in site.lines(first, str(row.key))]


def _description(one: _Shown) -> dict[str, Any]:
    column = one.column
    found: dict[str, Any] = {"$title": _TITLES.get(column.name, one.name.capitalize())}
    found["$type"] = f"application/x-{'array' if one.several else _JSON_TYPES[column.kind]}"
    if column.kind == "text" and not one.several:
        found["$maxLength"] = column.size
    if column.key:
        found["$isMandatory"] = True
    if one.hidden:
        found["$isHidden"] = True
    return found
