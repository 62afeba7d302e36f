"""What a site may have of its own: status labels, opt-out fields, further fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ...errors import ConfigurationError, MappingError
from ...models import STREAMS, StreamName
from ._records import OptOut, value_at

__all__ = ["DEFAULT_STATUSES", "OptOutField", "opt_outs", "own_fields"]

OptOutField: TypeAlias = str | Callable[[Mapping[str, Any]], bool]

PARTIES: tuple[StreamName, ...] = ("customers", "contacts", "suppliers")

DEFAULT_STATUSES: Mapping[str, Literal["active", "inactive", "on_hold"]] = {
    "Active": "active",
    "One-Time": "active",
    "On Hold": "on_hold",
    "Credit Hold": "on_hold",
    "Hold Payments": "on_hold",
    "Inactive": "inactive",
}
"""Labels of customers and vendors; one that is not here counts as active."""

_NO = frozenset({"", "0", "false", "no", "n", "off"})


def opt_outs(
    setting: OptOutField | Mapping[StreamName, OptOutField] | None,
) -> tuple[dict[StreamName, OptOut], dict[StreamName, tuple[str, ...]]]:
    """The test for each stream, and the fields it needs.

    A name or function alone is for all three kinds of parties, so that nobody is overlooked.
    """
    given = setting if isinstance(setting, Mapping) else dict.fromkeys(PARTIES, setting)
    _check_streams(given, PARTIES, "optout_field")
    tests: dict[StreamName, OptOut] = {}
    fields: dict[StreamName, tuple[str, ...]] = {}
    for stream, field in given.items():
        if isinstance(field, str):
            tests[stream], fields[stream] = _test_of(field), (field,)
        elif field is not None:
            tests[stream] = field
    return tests, fields


def own_fields(given: Mapping[StreamName, Sequence[str]]) -> dict[StreamName, tuple[str, ...]]:
    """The further fields of each stream.

    Raises:
        ConfigurationError: a stream's name is wrong, or a text stands where a list of names should.
    """
    _check_streams(given, STREAMS, "custom_fields")
    for stream, names in given.items():
        if isinstance(names, str):
            raise ConfigurationError(f"custom_fields[{stream!r}] must be a list of names", system="acumatica")
    return {stream: tuple(names) for stream, names in given.items()}


def _check_streams(given: Mapping[Any, Any], allowed: Sequence[str], setting: str) -> None:
    wrong = sorted(str(name) for name in given if name not in allowed)
    if wrong:
        raise ConfigurationError(
            f"{setting} names {', '.join(wrong)}: the streams are {', '.join(allowed)}", system="acumatica"
        )


def _test_of(field: str) -> OptOut:
    *outer, last = field.split("/")
    path = (*outer, "custom", *last.split(".", 1)) if "." in last else (*outer, last)

    def opted_out(row: Mapping[str, Any]) -> bool:
        """Anything but a clear no counts as an opt-out."""
        value = value_at(row, path)
        if isinstance(value, (dict, list)):
            raise MappingError(f"{field}: expected one value", reason="optout_field")
        return value is not None and str(value).strip().casefold() not in _NO

    return opted_out
