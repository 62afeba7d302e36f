"""Changing a record that exists, so that neither a new one comes about nor somebody's change is written over."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ._boi import Edit, Edited, Value
from ._com_calls import ComObject, bare
from ._com_reading import Columns, columns_of, find, plain, say_key
from ._contract import Resource
from ._errors import AgentError
from ._stamps import hours_of
from ._texts import Texts

__all__ = ["change"]

_EXISTING, _NEW = 1, 2


def change(table: ComObject, resource: Resource, edit: Edit, texts: Texts) -> Edited:
    """Take the record, compare, set what differs, write, and let go of the record in any case."""
    columns = columns_of(table, resource.table)
    values = _checked(columns, resource, edit)
    _take(table, resource, edit, texts)
    written = False
    try:
        _compare(table, resource, edit)
        differing = {name: value for name, value in values.items() if not _holds(table, columns, name, value)}
        if not differing:
            return Edited(result=1, changed=False, warnings=(), record={})
        warnings = _set(table, resource, columns, edit, differing)
        result = table.number("nWrite")
        if not result:
            raise _refused(table, resource, edit, texts, "nWrite")
        written = True
        if result < 0:
            warnings.append(table.message)
        return Edited(result=-1 if warnings else 1, changed=True, warnings=tuple(warnings), record={})
    except AgentError as error:
        written = written or error.poisons  # a broken session holds nothing that could be let go
        raise
    finally:
        if not written:
            table.number("nClear")


def _checked(columns: Columns, resource: Resource, edit: Edit) -> dict[str, Value]:
    """The values, each of its column's kind; nothing is touched before all of them are."""
    checked: dict[str, Value] = {}
    for name, value in edit.values.items():
        if name not in columns.wire:
            message = f"{resource.table} has no column {name}: check the name, or create the field in Custom Office"
            raise AgentError("VALIDATION", message, key=resource.named(edit.key))
        if not columns.is_text(name):
            try:
                checked[name] = float(Decimal(str(value)))
            except InvalidOperation:
                message = f"{name} holds numbers: send one"
                raise AgentError("VALIDATION", message, key=resource.named(edit.key)) from None
        elif not isinstance(value, str):
            raise AgentError("VALIDATION", f"{name} holds text: send a string", key=resource.named(edit.key))
        else:
            checked[name] = value
    return checked


def _take(table: ComObject, resource: Resource, edit: Edit, texts: Texts) -> None:
    named = resource.named(edit.key)
    gone = AgentError("NOT_FOUND", f"{resource.table} has no such record", key=named)
    # Looked for first: to a user who may not create, Sage 100 says of a missing record that access is denied.
    if not find(table, resource, edit.key):
        raise gone
    say_key(table, resource, edit.key)
    taken = table.number("nSetKey")
    if taken == _NEW:
        # The object has begun a new record. Writing it would create a customer.
        table.number("nClear")
        raise gone
    if taken != _EXISTING:
        raise _refused(table, resource, edit, texts, "nSetKey")


def _compare(table: ComObject, resource: Resource, edit: Edit) -> None:
    expected = edit.expected
    if expected is None:
        return
    date, time = bare(table.value("DateUpdated$", "")), bare(table.value("TimeUpdated$", ""))
    if (date, hours_of(time)) != (expected.date, hours_of(expected.time)):
        message = "the record was changed after it was read: read it again and decide again"
        raise AgentError("STALE_RECORD", message, key=resource.named(edit.key))


def _holds(table: ComObject, columns: Columns, name: str, value: Value) -> bool:
    is_text = columns.is_text(name)
    present = plain(table.value(columns.wire[name], "" if is_text else 0.0), is_text=is_text)
    return present == (bare(value) if is_text else value)


def _set(table: ComObject, resource: Resource, columns: Columns, edit: Edit, values: dict[str, Value]) -> list[str]:
    warnings = []
    for name, value in values.items():
        result = table.number("nSetValue", columns.wire[name], value)
        if not result:
            message = f"Sage 100 refuses the value of {name}"
            raise table.refusal("VALIDATION", message, "nSetValue", column=name, key=resource.named(edit.key))
        if result < 0:
            warnings.append(table.message)
    return warnings


def _refused(table: ComObject, resource: Resource, edit: Edit, texts: Texts, method: str) -> AgentError:
    """What a refused SetKey or Write means, by its message."""
    boi, key = table.answer(method), resource.named(edit.key)
    if holder := texts.holder(boi.text):
        return AgentError(
            "RECORD_LOCKED",
            "somebody has the record open in Sage 100: try again later",
            boi=boi,
            key=key,
            holder=holder,
        )
    if texts.is_security(boi.text):
        message = f"the agent's user may not modify {resource.table}: give its role the right"
        return AgentError("SAGE_SECURITY", message, boi=boi, key=key)
    return AgentError("VALIDATION", f"Sage 100 refuses to change the record of {resource.table}", boi=boi, key=key)
