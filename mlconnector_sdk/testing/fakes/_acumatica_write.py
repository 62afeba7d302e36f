"""`PUT` on a fake Acumatica: insert or update by key, by `id` or by `$filter`.

Collections in a body are not taken: a sync writes flags and names back, not detail rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ._acumatica_data import Records, Row, as_instant, key_of
from ._acumatica_errors import Refusal, empty_body, parsing_error, plain
from ._acumatica_filter import compile_filter
from ._acumatica_rows import Names
from ._acumatica_tables import ENTITIES, SHAPES, Entity, Shape, release
from ._server import Reply, Request

__all__ = ["Writer"]

_SYSTEM_NAMES = frozenset({"id", "rowNumber", "note", "custom", "error", "files", "delete", "_links"})
_STATUSES = {
    "Customer": {"Active", "On Hold", "Credit Hold", "Inactive", "One-Time"},
    "Contact": {"Active", "Inactive"},
}
_REQUIRED = {"Customer": "CustomerName", "Contact": "LastName", "Vendor": "VendorName"}


class Writer:
    """Applies bodies to records. `rejects`: `(entity, field)` to the error text a site's own rule gives."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.read_only = False
        self.rejects: dict[tuple[str, str], str] = {}

    def put(self, entity: Entity, version: str, request: Request) -> Row:
        """Save the body; returns the record as it stands now. Raises `Refusal` (400, 412, 422, 500)."""
        body = _body_of(request)
        changes = dict(_flattened(entity.shape, release(version), body))
        row = self._target(entity, version, body, changes, request)
        wildcard = {name: request.headers.get(name) == "*" for name in ("if-match", "if-none-match")}
        if (wildcard["if-match"] and row is None) or (wildcard["if-none-match"] and row is not None):
            raise plain(412, "The precondition of the request has failed.")
        if errors := self._errors(entity, changes, row):
            raise Refusal(Reply(422, _rejected(entity, body, row, errors)))
        if row is None:
            return self._insert(entity, changes)
        if not self.read_only:
            self._update(entity, row, changes)
        return row

    def _target(
        self, entity: Entity, version: str, body: Mapping[str, Any], changes: Mapping[str, Any], request: Request
    ) -> Row | None:
        if text := request.query.get("$filter"):
            matches = compile_filter(text, Names(self.records, entity, version))
            return next((row for row in self.records.in_key_order(entity.name) if matches(row)), None)
        if identity := body.get("id"):
            return self.records.by_identity(entity.name).get(str(identity).lower())
        if any(changes.get(name) is None for name in entity.keys):
            return None
        return self.records.rows(entity.name).get(key_of(entity.keys, changes))

    def _errors(self, entity: Entity, changes: Mapping[str, Any], row: Row | None) -> dict[str, str]:
        errors = {path: self.rejects[entity.name, path] for path in changes if (entity.name, path) in self.rejects}
        required = _REQUIRED.get(entity.name)
        if required and not changes.get(required, row and row.get(required)):
            errors[required] = f"Error: '{required}' cannot be empty."
        if "Status" in changes and changes["Status"] not in _STATUSES.get(entity.name, {changes["Status"]}):
            errors["Status"] = "'Status' cannot be found in the system."
        account = changes.get("BusinessAccount")
        accounts = self.records.stores["Customer"].keys() | self.records.stores["Vendor"].keys()
        if account is not None and account not in accounts:
            errors["BusinessAccount"] = "'Business Account' cannot be found in the system."
        return errors

    def _insert(self, entity: Entity, changes: Mapping[str, Any]) -> Row:
        values: dict[str, Any] = {}
        for path, value in changes.items():
            _set(values, path.split("."), value)
        if self.read_only:
            return Row({"id": self.records.identity(), **values}, self.records.changes)
        for name in entity.keys:
            if values.get(name) is None:
                values[name] = self.records.next_key(entity.name)
        return self.records.rows(entity.name)[self.records.put(entity.name, values)]

    def _update(self, entity: Entity, row: Row, changes: Mapping[str, Any]) -> None:
        """Only values that differ are saved, so an unchanged record keeps its stamp."""
        different = {path: value for path, value in changes.items() if _get(row, path.split(".")) != value}
        if different:
            self.records.edit(entity.name, key_of(entity.keys, row), different)


def _body_of(request: Request) -> Mapping[str, Any]:
    if not request.body:
        raise empty_body()
    try:
        body = request.json()
    except ValueError:
        raise plain(400, "The request is invalid.") from None
    if not isinstance(body, dict):
        raise parsing_error()
    return body


def _flattened(shape: Shape, since: int, body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a body by dotted path, unwrapped and checked against their kinds."""
    for name, value in body.items():
        field, part = shape.fields.get(name), shape.parts.get(name)
        if name in _SYSTEM_NAMES:
            yield from _custom_values(value, prefix) if name == "custom" else ()
        elif field is not None and field.since <= since:
            yield prefix + name, _unwrapped(field.kind, value)
        elif part is not None and part.since <= since and not part.many and isinstance(value, dict):
            yield from _flattened(SHAPES[part.shape], since, value, f"{prefix}{name}.")
        else:
            raise parsing_error()


def _custom_values(custom: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(custom, dict):
        raise parsing_error()
    for view, fields in custom.items():
        for name, wrapped in fields.items():
            if not isinstance(wrapped, dict) or "type" not in wrapped:
                raise parsing_error()
            yield f"{prefix}custom.{view}.{name}", wrapped.get("value")


def _unwrapped(kind: str, wrapped: Any) -> Any:
    if not isinstance(wrapped, dict) or wrapped.keys() - {"value", "error"}:
        raise parsing_error()
    value = wrapped.get("value")
    if value is None or value == "":
        return None
    fits: Any = {"S": str, "G": str, "T": str, "B": bool, "I": int, "H": int}.get(kind, (int, float))
    if not isinstance(value, fits) or (kind != "B" and isinstance(value, bool)):
        raise parsing_error()
    if kind == "T":
        return _instant(value)
    return Decimal(str(value)) if kind == "D" else value


def _instant(text: str) -> datetime:
    try:
        return as_instant(text)
    except ValueError:
        raise parsing_error() from None


def _set(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def _get(row: Any, path: list[str]) -> Any:
    for name in path:
        row = (row or {}).get(name)
    return row


def _rejected(entity: Entity, body: Mapping[str, Any], row: Row | None, errors: Mapping[str, str]) -> dict[str, Any]:
    """The body again, with `error` beside each refused value and one at the top."""
    answer: dict[str, Any] = {
        "id": row["id"] if row else body.get("id", "00000000-0000-0000-0000-000000000000"),
        "rowNumber": 1,
        "error": f"Updating '{entity.name}' record raised at least one error. Please review the errors.",
        "note": {"value": ""},
        **{name: {"value": row[name]} for name in entity.keys if row},
        **{name: value for name, value in body.items() if name not in _SYSTEM_NAMES},
    }
    for path, text in errors.items():
        *outer, last = path.split(".")
        place = answer
        for name in outer:
            place[name] = dict(place.get(name, {}))
            place = place[name]
        place[last] = {**place.get(last, {}), "error": text}
    return {**answer, "custom": {}}


def writable(entity: str) -> bool:
    """The view of posted documents is read only here."""
    return entity in ENTITIES and entity != "Invoice"
