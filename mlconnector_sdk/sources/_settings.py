"""What a site may have of its own, whatever the ERP: do-not-mail fields, further fields, status labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ..errors import ConfigurationError, MappingError
from ..models import STREAMS, StreamName
from ._values import speaks_against

__all__ = ["PARTIES", "OptOut", "OptOutField", "PartyStatus", "opt_outs", "own_fields", "require"]

OptOut: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Whether a raw row says: do not mail."""

OptOutField: TypeAlias = str | OptOut
"""How a caller names the site's own opt-out: a field, or a function over the raw row."""

PartyStatus: TypeAlias = Literal["active", "inactive", "on_hold"]

PARTIES: tuple[StreamName, ...] = ("customers", "contacts", "suppliers")


def require(condition: bool, message: str, *, system: str) -> None:  # noqa: FBT001
    """Refuse a wrong setting.

    Raises:
        ConfigurationError: the condition does not hold.
    """
    if not condition:
        raise ConfigurationError(message, system=system)


def opt_outs(
    setting: OptOutField | Mapping[StreamName, OptOutField] | None,
    *,
    system: str,
    reader: Callable[[str], Callable[[Mapping[str, Any]], Any]],
) -> tuple[dict[StreamName, OptOut], dict[StreamName, tuple[str, ...]]]:
    """The test for each stream, and the names of the fields it needs.

    A name or function alone is for all three kinds of parties, so that nobody is overlooked. Whatever goes wrong in a
    test is a `MappingError`, so that it stops its own record only.

    Args:
        reader: how this ERP finds a field by the name a caller writes.

    Raises:
        ConfigurationError: a stream's name is wrong.
    """
    given = setting if isinstance(setting, Mapping) else dict.fromkeys(PARTIES, setting)
    _check_streams(given, PARTIES, "optout_field", system)
    tests: dict[StreamName, OptOut] = {}
    fields: dict[StreamName, tuple[str, ...]] = {}
    for stream, field in given.items():
        if isinstance(field, str):
            tests[stream], fields[stream] = _field_test(field, reader(field)), (field,)
        elif field is not None:
            tests[stream] = _guarded(field)
    return tests, fields


def own_fields(given: Mapping[StreamName, Sequence[str]], *, system: str) -> dict[StreamName, tuple[str, ...]]:
    """The further fields of each stream.

    Raises:
        ConfigurationError: a stream's name is wrong, or a text stands where a list of names should.
    """
    _check_streams(given, STREAMS, "custom_fields", system)
    for stream, names in given.items():
        require(not isinstance(names, str), f"custom_fields[{stream!r}] must be a list of names", system=system)
    return {stream: tuple(names) for stream, names in given.items()}


def _check_streams(given: Mapping[Any, Any], allowed: Sequence[str], setting: str, system: str) -> None:
    wrong = sorted(str(name) for name in given if name not in allowed)
    require(not wrong, f"{setting} names {', '.join(wrong)}: the streams are {', '.join(allowed)}", system=system)


def _field_test(field: str, read: Callable[[Mapping[str, Any]], Any]) -> OptOut:
    def opted_out(row: Mapping[str, Any]) -> bool:
        """Anything but a clear no counts as an opt-out."""
        value = read(row)
        if isinstance(value, (dict, list)):
            raise MappingError(f"{field}: expected one value", reason="optout_field")
        return speaks_against(value)

    return opted_out


def _guarded(function: OptOut) -> OptOut:
    def opted_out(row: Mapping[str, Any]) -> bool:
        try:
            return bool(function(row))
        except MappingError:
            raise
        except Exception as error:  # the caller's function, which must not stop the others' records
            raise MappingError(  # noqa: B904 - its text may hold personal data
                f"optout_field: the function failed ({type(error).__name__})", reason="optout_field"
            )

    return opted_out
