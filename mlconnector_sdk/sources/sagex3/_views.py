"""Which class and representation of api1 each table is read through."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from ...errors import ConfigurationError
from .._settings import require
from .._values import Row
from ._api import ENTITIES, SYSTEM

__all__ = ["Representation", "View", "Views"]

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@attrs.frozen
class Representation:
    """A representation that a site has for us.

    Args:
        name: its code, such as `YMCBPC`.
        class_name: its class, where it is another one than the standard's.
        fields: our codes and its own names for them, where they differ: `{"WEB": "ZEMAIL"}`.

    Example:
        >>> Representation("YMCBPC", fields={"WEB": "ZEMAIL"})
        Representation(name='YMCBPC', class_name='', fields={'WEB': 'ZEMAIL'})
    """

    name: str
    class_name: str = attrs.field(default="", kw_only=True)
    fields: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)


@attrs.frozen
class View:
    """A table as api1 shows it; `names` are the representation's own for our field codes."""

    class_name: str
    representation: str
    names: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.class_name}/{self.representation}"

    def renamed(self, row: Row) -> Row:
        """The row with our field codes, and without the members that concern the API only."""
        found = {name: value for name, value in row.items() if not name.startswith("$") or name in _KEPT}
        for ours, theirs in self.names.items():
            if theirs in found:
                found[ours] = found.pop(theirs)
        return found


_KEPT = frozenset({"$etag", "$diagnoses", "$diagnosis"})
_TABLES = frozenset({table for one in ENTITIES.values() for table in (one.table, *(join.table for join in one.joins))})


class Views:
    """The representation of each table: the standard one, whose code is the class's, unless the site has another.

    Raises:
        ConfigurationError: a table that is not read, or a name that is none.
    """

    def __init__(self, given: Mapping[str, str | Representation]) -> None:
        strangers = sorted(set(given) - _TABLES)
        require(
            not strangers,
            f"representations names {', '.join(strangers)}: the classes are {', '.join(sorted(_TABLES))}",
            system=SYSTEM,
        )
        self._views = {table: _view(table, given.get(table, table)) for table in _TABLES}

    def of(self, table: str) -> View:
        """How the table is read."""
        return self._views[table]


def _view(table: str, given: str | Representation) -> View:
    representation = Representation(given) if isinstance(given, str) else given
    view = View(representation.class_name or table, representation.name, representation.fields)
    for name in (view.class_name, view.representation):
        if not _CODE.fullmatch(name):
            raise ConfigurationError(
                f"representations[{table!r}]: {name!r} is no code, such as YMCBPC, without a facet", system=SYSTEM
            )
    return view
