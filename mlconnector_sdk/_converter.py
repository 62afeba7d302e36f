"""The cattrs converters: strict on our own configuration, and how its mistakes are told.

Rows of the ERPs are read by each source's `_records.py`; this module structures what people write.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import cattrs
from cattrs.errors import ForbiddenExtraKeysError

from .errors import ConfigurationError

__all__ = ["structure_config", "unstructure_config"]

T = TypeVar("T")
Choices: TypeAlias = Mapping[Any, tuple[str, Mapping[str, type]]]


def _structure_duration(value: Any, _: type) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a duration is a number of seconds")
    return timedelta(seconds=value)


def _strict_text(value: Any, _: type) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")
    return value


def _strict_whole(value: Any, _: type) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {type(value).__name__}")
    return value


def _strict_flag(value: Any, _: type) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {type(value).__name__}")
    return value


def _flag_or_text(value: Any, _: type) -> bool | str:
    if not isinstance(value, (bool, str)):
        raise ValueError(f"expected true, false or text, got {type(value).__name__}")
    return value


def _converter(choices: Choices) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for union, (tag, kinds) in choices.items():
        _register_choice(converter, union, tag, kinds)
    converter.register_structure_hook(timedelta, _structure_duration)
    converter.register_unstructure_hook(timedelta, lambda value: value.total_seconds())
    converter.register_structure_hook(str, _strict_text)
    converter.register_structure_hook(int, _strict_whole)
    converter.register_structure_hook(bool, _strict_flag)
    converter.register_structure_hook_func(lambda kind: kind == bool | str, _flag_or_text)
    return converter


def _register_choice(converter: cattrs.Converter, union: Any, tag: str, kinds: Mapping[str, type]) -> None:
    def is_the_union(kind: Any) -> bool:
        return bool(kind == union)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected settings, got {type(value).__name__}")
        if value.get(tag) not in kinds:
            raise ValueError(f"{tag} must be one of {', '.join(sorted(kinds))}")
        return converter.structure(value, kinds[value[tag]])

    converter.register_structure_hook_func(is_the_union, structure)


def structure_config(data: Any, kind: type[T], *, where: str = "config", choices: Choices | None = None) -> T:
    """Plain dicts to one of our configuration classes.

    Args:
        choices: for each union among the fields, the setting that tells its members apart, and these by its value.

    Raises:
        ConfigurationError: every mistake at once, a line each, as `path: problem`.
    """
    try:
        return _converter(choices or {}).structure(data, kind)
    except Exception as error:  # cattrs raises groups of whatever the hooks raised
        problems = cattrs.transform_error(error, path=where, format_exception=_problem)
        raise ConfigurationError("\n".join(map(_path_first, problems))) from None


def unstructure_config(value: Any) -> Any:
    """One of our configuration values as plain dicts, lists and numbers."""
    return _converter({}).unstructure(value)


def _path_first(line: str) -> str:
    """Cattrs says `problem @ path`; people look for the path first."""
    problem, _, path = line.rpartition(" @ ")
    return f"{path}: {problem}"


def _problem(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown setting {', '.join(sorted(map(repr, error.extra_fields)))}"
    if isinstance(error, KeyError):
        return f"required setting {error.args[0]!r} is missing"
    return str(error) or f"not a valid {getattr(kind, '__name__', kind)}"
