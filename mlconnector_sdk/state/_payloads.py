"""Payloads of dead letters and notes as JSON text, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

__all__ = ["dump_payload", "load_payload"]

_TAG = "$type"


def dump_payload(payload: Mapping[str, Any]) -> str:
    """A payload as text. Raises `TypeError` for one that is not plain."""
    return json.dumps(_plain(payload), separators=(",", ":"))


def _plain(value: Any) -> Any:
    """JSON keeps neither money nor dates: these travel as tagged text, so that a replay reads what the run read."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a payload names its fields by text")
        plain = {name: _plain(part) for name, part in value.items()}
        return {_TAG: "mapping", "of": list(plain.items())} if _TAG in plain else plain
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return {_TAG: "Decimal", "of": str(value)}
    if isinstance(value, bytes):
        return {_TAG: "bytes", "of": value.hex()}
    for kind in (datetime, date, time):
        if isinstance(value, kind):
            return {_TAG: kind.__name__, "of": value.isoformat()}
    raise TypeError(f"a payload holds plain values, not {type(value).__name__}")


_REVIVE: Mapping[str, Callable[[Any], Any]] = {
    "mapping": dict,
    "Decimal": Decimal,
    "bytes": bytes.fromhex,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}


def load_payload(text: str) -> dict[str, Any]:
    """The reverse of `dump_payload`."""
    payload = json.loads(text, object_hook=_revive)
    if not isinstance(payload, dict):
        raise TypeError("a payload is a mapping")
    return payload


def _revive(value: dict[str, Any]) -> Any:
    return _REVIVE[value[_TAG]](value["of"]) if _TAG in value else value
