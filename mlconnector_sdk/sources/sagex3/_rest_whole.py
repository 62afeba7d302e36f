"""Makes rows of a thin list whole: each record by its key, rows of other classes beside it, a few at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from ...errors import RecordNotFoundError, RecordRejectedError
from .._values import Row
from ._api import Condition, Entity
from ._api1 import details_path, record_in
from ._crew import Crew
from ._fields import base_code
from ._rest_facets import JoinPlan, Plan
from ._rest_session import RestSession
from ._views import View, Views

__all__ = ["Completer"]

Key = tuple[str | int, ...]

_FAULT = {"$diagnoses": [{"$severity": "error"}]}


@attrs.define(kw_only=True)
class Completer:
    """Reads what is missing.

    Attributes:
        rows_of: the rows of a list that meet one of some conditions.
        crew: reads a few records at once.
    """

    session: RestSession
    views: Views
    rows_of: Callable[[View, Iterable[Condition]], Iterator[list[Row]]]
    crew: Crew

    def completed(self, entity: Entity, plan: Plan, rows: Sequence[Row]) -> list[Row]:
        """The rows with everything of the plan; those that are gone are absent, in their order."""
        whole = list(rows)
        if plan.details or entity.lines[0]:
            bare = [row for row in whole if plan.details or not _has_lines(row)]
            found = dict(
                zip(map(id, bare), self.crew.each(lambda row: self._details(entity, plan, row), bare), strict=True)
            )
            whole = [new for row in whole if (new := found.get(id(row), row)) is not None]
        for join in plan.joins:
            whole = self._joined(join, whole)
        return whole

    def _details(self, entity: Entity, plan: Plan, row: Row) -> Row | None:
        record = self._record(plan.view, tuple(row.get(name, "") for name in entity.keys))
        return None if record is None else {**row, **record}

    def _record(self, view: View, key: Key) -> Row | None:
        """One record, an error in its place where the server gives one; `None` where it is gone."""
        path = details_path(view.class_name, view.representation, [_stripped(part) for part in key])
        try:
            body, _ = self.session.get(path, f"GET {view}.$details")
        except RecordNotFoundError:
            return None
        except RecordRejectedError:
            return dict(_FAULT)
        return view.renamed(record_in(body))

    def _joined(self, plan: JoinPlan, rows: list[Row]) -> list[Row]:
        keys = {id(row): _join_key(plan, row) for row in rows}
        wanted = list(dict.fromkeys(key for key in keys.values() if key is not None))
        found = self._by_list(plan, wanted) if plan.by_list else self._by_key(plan, wanted)
        return [self._with(plan, row, found.get(keys[id(row)] or ())) for row in rows]

    def _by_list(self, plan: JoinPlan, keys: list[Key]) -> dict[Key, Row]:
        names = tuple(plan.join.on)
        conditions = [dict(zip(names, key, strict=True)) for key in keys]
        found: dict[Key, Row] = {}
        for rows in self.rows_of(plan.view, conditions):
            for row in rows:
                found[_alike(row.get(name) for name in names)] = row
        return {key: found[_alike(key)] for key in keys if _alike(key) in found}

    def _by_key(self, plan: JoinPlan, keys: list[Key]) -> dict[Key, Row]:
        records = self.crew.each(lambda key: self._record(plan.view, key), keys)
        return {key: record for key, record in zip(keys, records, strict=True) if record is not None}

    def _with(self, plan: JoinPlan, row: Row, beside: Row | None) -> Row:
        if beside is None:
            return row
        table, fields = plan.join.table, set(plan.join.fields)
        own = {
            f"{table}.{name}": value for name, value in beside.items() if base_code(name) in fields or name in fields
        }
        faults = {name: value for name, value in beside.items() if name.startswith("$diagnos")}
        return {**row, **own, **faults}


def _has_lines(row: Row) -> bool:
    return any(
        isinstance(value, list) and value and isinstance(value[0], dict) and "ITMREF" in value[0]
        for value in row.values()
    )


def _join_key(plan: JoinPlan, row: Row) -> Key | None:
    """The values of the other table's key; `None` where one is blank, because nothing belongs to the row then."""
    parts = [source if isinstance(source, int) else _stripped(row.get(source)) for source in plan.join.on.values()]
    return tuple(parts) if all(part != "" for part in parts) else None


def _stripped(value: object) -> str | int:
    return value if isinstance(value, int) else str(value or "").strip()


def _alike(values: Iterable[object]) -> Key:
    return tuple(str(value).strip() for value in values)
