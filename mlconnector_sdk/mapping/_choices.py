"""What a person chose, as the ERP has it: interests and marketing permissions, by the names the audience gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from ..errors import ConfigurationError, MappingError
from ..models import Party
from ._fields import FieldSource, check_source, field_getter

__all__ = ["InterestSource", "answer_getter", "checked_interests", "checked_permissions"]

InterestSource: TypeAlias = bool | FieldSource
"""`True` or `False` for everybody, or where the record says yes or no."""

_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})


def checked_interests(_: object, __: object, interests: Mapping[str, InterestSource]) -> None:
    """Raises `ConfigurationError` for names and sources that cannot be meant."""
    _check_names("interests", interests)
    for name, source in interests.items():
        category, _, interest = name.partition("/")
        if not category.strip() or not interest.strip():
            raise ConfigurationError(f"interests[{name}]: write the group and the interest in it: 'Group/Interest'")
        if not isinstance(source, bool):
            check_source(source, f"interests[{name}]")


def checked_permissions(_: object, __: object, permissions: Mapping[str, FieldSource]) -> None:
    """Raises `ConfigurationError` likewise, and for a permission that nobody was asked for."""
    _check_names("permissions", permissions)
    for name, source in permissions.items():
        if isinstance(source, bool):
            raise ConfigurationError(
                f"permissions[{name}]: a permission is each person's own: name the field or function that tells it"
            )
        check_source(source, f"permissions[{name}]")


def _check_names(setting: str, named: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for name in named:
        folded = " ".join(name.split()).casefold()
        if not folded:
            raise ConfigurationError(f"{setting}: a name must not be blank")
        if folded in seen:
            raise ConfigurationError(f"{setting}: {seen[folded]!r} and {name!r} are the same: leave one out")
        seen[folded] = name


def answer_getter(source: InterestSource, where: str) -> Callable[[Party], bool | None]:
    """What reads a yes or a no from a record, and `None` where it says neither.

    Raises:
        MappingError: when reading a record whose value is neither; reason `"unclear_answer"`.
    """
    if isinstance(source, bool):
        fixed = source
        return lambda party: fixed
    getter = field_getter(source, where)
    return lambda party: _answer(getter(party), where)


def _answer(value: Any, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal) and value in {0, 1}:
        return bool(value)
    word = str(value).strip().casefold()
    if not word:
        return None
    if word in _YES or word in _NO:
        return word in _YES
    raise MappingError(f"{where}: neither yes nor no: map a function that decides", reason="unclear_answer")
