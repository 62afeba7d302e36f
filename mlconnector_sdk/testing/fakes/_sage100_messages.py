"""SOAP messages of the web service: calls read strictly after the schema, records and faults as WCF writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import attrs

from ._sage100_contracts import CONTRACTS, NAMESPACE, Member, Operation

__all__ = ["ENVELOPE", "MasFault", "enveloped", "moment_of", "read_call", "written", "written_fault"]

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_DISPATCHER = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
_NIL = f"{{{_INSTANCE}}}nil"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


@attrs.define
class MasFault(Exception):
    """A fault. With `detailed` code and reason also stand in the detail, where clients look for them first."""

    code: str
    text: str
    reason: str = ""
    detailed: bool = False
    space: str = NAMESPACE


def _unreadable(why: str) -> MasFault:
    text = (
        "The formatter threw an exception while trying to deserialize the message: "
        f"There was an error while trying to deserialize a parameter. {why}"
    )
    return MasFault("DeserializationFailed", text, space=_DISPATCHER)


# -- reading --------------------------------------------------------------------------------------------------------


def read_call(body: bytes, operation: Operation) -> dict[str, Any]:
    """The parameters of a call by name; those that are absent or nil are `None`.

    Raises:
        MasFault: the body is not this call, or has other elements than the schema, or in another order.
    """
    try:
        if b"<!DOCTYPE" in body:
            raise ET.ParseError("a document type is not allowed")
        root = ET.fromstring(body)  # noqa: S314 - loopback only, and no document type
    except ET.ParseError as error:
        raise _unreadable(str(error)) from None
    holder = root.find(f"{{{ENVELOPE}}}Body") if root.tag == f"{{{ENVELOPE}}}Envelope" else None
    if holder is None or len(holder) != 1 or holder[0].tag != f"{{{NAMESPACE}}}{operation.name}":
        raise _unreadable(f"The body does not hold {operation.name} of {NAMESPACE}.")
    members = tuple(Member(name, kind) for name, kind in operation.parameters.items())
    return _read_members(holder[0], members)


def _read_members(element: ET.Element, members: tuple[Member, ...]) -> dict[str, Any]:
    """Children by name, which must be members, in the members' order and each at most once."""
    known = {f"{{{NAMESPACE}}}{member.name}": (place, member) for place, member in enumerate(members)}
    found: dict[str, Any] = {member.name: None for member in members}
    last = -1
    for child in element:
        place, member = known.get(child.tag, (-1, None))
        if member is None or place <= last:
            name = child.tag.rpartition("}")[2]
            raise _unreadable(f"Element '{name}' was not expected here: elements follow the order of the schema.")
        last = place
        found[member.name] = None if child.get(_NIL) == "true" else _read_value(child, member)
    return found


def _read_value(element: ET.Element, member: Member) -> Any:
    if member.item:
        return [_read_members(child, CONTRACTS[member.item]) for child in element if _is_given(child, member.item)]
    if member.kind in CONTRACTS:
        return _read_members(element, CONTRACTS[member.kind])
    if len(element):
        raise _unreadable(f"Element '{member.name}' holds a value, not elements.")
    text = element.text or ""
    try:
        return _CONVERTERS[member.kind](text)
    except (ValueError, InvalidOperation):
        raise _unreadable(f"The value of '{member.name}' cannot be parsed as the type '{member.kind}'.") from None


def _is_given(child: ET.Element, item: str) -> bool:
    if child.tag != f"{{{NAMESPACE}}}{item}":
        raise _unreadable(f"Only elements '{item}' were expected here.")
    return child.get(_NIL) != "true"


def _as_decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError(text)
    return Decimal(text.strip())


def _as_moment(text: str) -> datetime:
    if "T" not in text:
        raise ValueError(text)
    return datetime.fromisoformat(text.strip()).replace(tzinfo=None)


_CONVERTERS: Mapping[str, Any] = {
    "string": str,
    "decimal": _as_decimal,
    "dateTime": _as_moment,
}


# -- writing --------------------------------------------------------------------------------------------------------


def written(operation: Operation, result: Any) -> bytes:
    """The answer to a call; a result is a text, or the values of its contract by member."""
    inner = _element(Member(f"{operation.name}Result", operation.result), result) if operation.result else ""
    return enveloped(
        f'<{operation.name}Response xmlns="{NAMESPACE}" xmlns:i="{_INSTANCE}">{inner}</{operation.name}Response>'
    )


def _element(member: Member, value: Any) -> str:
    name = member.name
    if value is None:
        return f'<{name} i:nil="true"/>'
    if member.item:
        items = Member(member.item, member.item)
        return f"<{name}>{''.join(_element(items, one) for one in value)}</{name}>"
    if member.kind in CONTRACTS:
        inner = "".join(_element(one, value[one.name]) for one in CONTRACTS[member.kind] if one.name in value)
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, datetime):
        return f"<{name}>{value:%Y-%m-%dT%H:%M:%S}</{name}>"
    return f"<{name}>{_escaped(str(value))}</{name}>"


def _escaped(text: str) -> str:
    # XML has no control characters, and .NET writes them as references all the same.
    return _CONTROLS.sub(lambda found: f"&#x{ord(found[0]):X};", escape(text))


def written_fault(fault: MasFault) -> bytes:
    """A fault as WCF writes it, with the reason once more in the detail where it is known."""
    detail = ""
    if fault.detailed:
        detail = (
            f'<detail><MasFault xmlns="{NAMESPACE}" xmlns:i="{_INSTANCE}"><ErrorCode>{_escaped(fault.code)}</ErrorCode>'
            f"<ErrorMessage>{_escaped(fault.reason or fault.text)}</ErrorMessage></MasFault></detail>"
        )
    return enveloped(
        f'<s:Fault><faultcode xmlns:a="{fault.space}">a:{fault.code}</faultcode>'
        f'<faultstring xml:lang="en-US">{_escaped(fault.text)}</faultstring>{detail}</s:Fault>'
    )


def enveloped(inner: str) -> bytes:
    return f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def moment_of(day: str, hours: str) -> datetime | None:
    """A stamp as the service shows it: to the second, of the same day, without zone; nothing if the day is blank."""
    if not day:
        return None
    start = datetime.strptime(day, "%Y%m%d")
    seconds = min(round(Decimal(hours or 0) * 3600), 86_399)
    return start + timedelta(seconds=int(seconds))
