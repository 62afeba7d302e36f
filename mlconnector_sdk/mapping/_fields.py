"""Where a mapped value comes from: an attribute of the record, a path into its raw row, or the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigurationError, MappingError
from ..models import Contact, Customer, Party

__all__ = ["ATTRIBUTES", "FieldSource", "check_source", "field_getter", "guarded"]

FieldSource: TypeAlias = str | Callable[[Any], Any]
"""A record's attribute (`"first_name"`), a path into its raw row (`"raw.MainContact.Fax"`), or a function of it."""

ATTRIBUTES = frozenset(
    field.name for kind in (Party, Customer, Contact) for field in attrs.fields(kind) if field.name != "raw"
)
"""What any party has; what this kind of record lacks is empty."""

_OF_ALL = frozenset(field.name for field in attrs.fields(Party))


def check_source(source: FieldSource, where: str) -> None:
    """Raises `ConfigurationError`, which names `where`, for a source that no record can have."""
    if isinstance(source, str) and not source.startswith("raw.") and source not in ATTRIBUTES:
        known = ", ".join(sorted(ATTRIBUTES))
        raise ConfigurationError(f"{where}: no record attribute {source!r}; there are: {known}")


def field_getter(source: FieldSource, name: str) -> Callable[[Party], Any]:
    """What reads the source from a record; `name` is what is mapped, for messages."""
    if callable(source):
        function = source
        return lambda party: guarded(function, party, name)
    if source.startswith("raw."):
        path = source.split(".")[1:]
        return lambda party: _walk(party.raw, path)
    if source in _OF_ALL:
        return attrgetter(source)
    attribute = source
    return lambda party: getattr(party, attribute, "")


def _walk(row: Any, path: Sequence[str]) -> Any:
    for step in path:
        row = row.get(step) if isinstance(row, Mapping) else None
    return row


def guarded(function: Callable[[Any], Any], record: Any, name: str) -> Any:
    """The caller's own function; its failure concerns this record only."""
    try:
        return function(record)
    except MappingError:
        raise
    except Exception as error:
        message = f"the mapping function for {name} raised {type(error).__name__}"
        raise MappingError(message, reason="mapping_failed") from error
