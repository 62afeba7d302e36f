"""How a site of Acumatica names what it has of its own, and its usual status labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...models import StreamName
from .. import _settings
from .._settings import OptOut, OptOutField, PartyStatus
from .._values import value_at

__all__ = ["DEFAULT_STATUSES", "opt_outs"]

DEFAULT_STATUSES: Mapping[str, PartyStatus] = {
    "Active": "active",
    "One-Time": "active",
    "On Hold": "on_hold",
    "Credit Hold": "on_hold",
    "Hold Payments": "on_hold",
    "Inactive": "inactive",
}
"""Labels of customers and vendors; one that is not here counts as active."""


def opt_outs(
    setting: OptOutField | Mapping[StreamName, OptOutField] | None,
) -> tuple[dict[StreamName, OptOut], dict[StreamName, tuple[str, ...]]]:
    """The test for each stream, and the fields it needs: contract fields, or screen fields with a dot."""
    return _settings.opt_outs(setting, system="acumatica", reader=_reader_of)


def _reader_of(field: str) -> Callable[[Mapping[str, Any]], Any]:
    *outer, last = field.split("/")
    path = (*outer, "custom", *last.split(".", 1)) if "." in last else (*outer, last)
    return lambda row: value_at(row, path)
