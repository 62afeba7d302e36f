"""What the agent needs of Sage 100's business objects, whatever brings them: one session works in one company."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs

from ._contract import Key, Resource
from ._stamps import Stamp

__all__ = ["BusinessObjects", "Edit", "Edited", "Row", "Session", "Value", "Wanted"]

Value: TypeAlias = str | int | float
Row: TypeAlias = dict[str, object]
"""Columns without `$`; with `_stamp`, and `Lines` where they were asked for."""


@attrs.frozen(kw_only=True)
class Wanted:
    """What to return of each record: `None` is all columns; `line_fields` counts with `lines` only."""

    fields: tuple[str, ...] | None = None
    lines: bool = False
    line_fields: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class Edit:
    """New values of a record's columns; `expected` is the date and time of change it must still have."""

    key: Key
    values: Mapping[str, Value]
    expected: Stamp | None = None


@attrs.frozen(kw_only=True)
class Edited:
    """What became of an edit: the return code, whether anything was written, warnings, the columns as they are now."""

    result: int
    changed: bool
    warnings: tuple[str, ...]
    record: Row


class Session(Protocol):
    """A user logged on to one company, from one thread. Every method raises `AgentError`."""

    @property
    def company(self) -> str | None:
        """The company's code; `None` for a session that only looks at the list of companies."""
        ...

    def scan(self, resource: Resource, since: str | None) -> Iterator[tuple[Key, Stamp]]:
        """Key and stamp of every record, or at least of those stamped on the day `since` or later; in any order.

        All of them or an error: never a part.
        """
        ...

    def missing(self, resource: Resource, wanted: Wanted) -> list[str]:
        """The columns asked for that the table, or the table of its lines, does not have."""
        ...

    def rows(self, resource: Resource, keys: Sequence[Key], wanted: Wanted) -> Iterator[Row]:
        """The records with these keys as they are now, in this order; those that are gone are left out."""
        ...

    def edit(self, resource: Resource, edit: Edit) -> Edited:
        """Change a record that exists. What equals already is not written."""
        ...

    def companies(self) -> list[tuple[str, str]]:
        """Codes and names of all companies."""
        ...

    def close(self) -> None:
        """Log off; never raises."""


class BusinessObjects(Protocol):
    """Opens sessions."""

    def open(self, company: str | None) -> Session:
        """Log on to a company, or to none. Tries once. Raises `AgentError`."""
        ...
