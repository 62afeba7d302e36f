"""Records as the wire shows them: all properties of the release or those selected, with blanks and midnights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from ._sage300_schema import Column, Model

__all__ = ["Manner", "Rendering", "as_json"]

Render = Callable[[Mapping[str, Any]], dict[str, Any]]


@attrs.define(kw_only=True)
class Manner:
    """Ways of writing in which sites, releases and documents differ.

    Attributes:
        padded: texts are filled with blanks to the width of their column.
        empty_date: what an empty date shows.
        date_suffix: what stands behind midnight; the vendor's reference prints dates without the `Z`.
    """

    padded: bool = False
    empty_date: str | None = None
    date_suffix: str = "Z"


def as_json(value: Any, manner: Manner) -> str:
    """An answer as text; a whole amount has no fraction."""

    def other(one: Any) -> Any:
        if isinstance(one, Decimal):
            return int(one) if one == one.to_integral_value() else float(one)
        if isinstance(one, date):
            return f"{one:%Y-%m-%d}T00:00:00{manner.date_suffix}"
        raise TypeError(f"{type(one).__name__} is no value of a record")

    return json.dumps(value, default=other, ensure_ascii=False, separators=(",", ":"))


class Rendering:
    """Turns stored rows into objects of the wire."""

    def __init__(self, model: Model, manner: Manner) -> None:
        self.model = model
        self.manner = manner

    def of(self, columns: Mapping[str, Column]) -> Render:
        """A function that renders rows with these columns."""
        shown = [(c.wire, c.stored, self._empty(c), self._change(c)) for c in columns.values()]
        plain = [(wire, stored, empty) for wire, stored, empty, change in shown if change is None]
        changed = [(wire, stored, empty, change) for wire, stored, empty, change in shown if change is not None]
        if not changed:
            return lambda row: {wire: row.get(stored, empty) for wire, stored, empty in plain}

        def render(row: Mapping[str, Any]) -> dict[str, Any]:
            values = {wire: row.get(stored, empty) for wire, stored, empty, _ in shown}
            for wire, _, _, change in changed:
                values[wire] = change(values[wire])
            return values

        return render

    def _empty(self, column: Column) -> Any:
        return self.manner.empty_date if column.property.kind == "date" else column.property.default

    def _change(self, column: Column) -> Callable[[Any], Any] | None:
        """How a stored value becomes the value of the wire; None where it is shown as it is."""
        one = column.property
        if one.kind == "rows":
            inner = self.of(self.model.columns(one.rows))
            return lambda rows: [inner(row) if isinstance(row, Mapping) else row for row in rows or []]
        if one.kind == "text" and self.manner.padded:
            return lambda text: text.ljust(one.width) if isinstance(text, str) else text
        if one.kind == "date" and self.manner.empty_date is not None:
            return lambda day: self.manner.empty_date if day is None else day
        return None
