"""How far ends are reached: whom to trust, what may travel unencrypted, and how much of an answer is read."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TypeAlias

import attrs

from .errors import ConfigurationError

__all__ = ["Network"]

_MIB = 1024 * 1024
_PathText: TypeAlias = str | os.PathLike[str] | None


def _text_of(path: _PathText) -> str | None:
    return None if path is None else os.fspath(path)


def _duration(value: timedelta | float) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _some_time(_: object, attribute: attrs.Attribute[timedelta], value: timedelta) -> None:
    if value <= timedelta(0):
        raise ValueError(f"{attribute.name} must be more than 0 seconds")


@attrs.frozen(kw_only=True)
class Network:
    """One setting for every way out: sources, the sink and sign-ins take it as `network=`, configs as a table.

    Attributes:
        ca_bundle: a PEM file with the authorities to trust instead of the usual ones, such as a company's own.
        trust_any_certificate: encrypt, and do not ask who is at the other end. Whoever stands in between can then read
            the credentials and change the data, so each construction warns with `InsecureTransportWarning`. Naming the
            authority with `ca_bundle` costs no more.
        allow_http: credentials and data may travel unencrypted to another machine. Where a source takes http without
            it, `check` has a row that is not ok; with it, the row only says so.
        answer_bytes: how large an answer may be when it is unpacked; larger ones are refused.
        answer_time: how long an answer may take from its first header to its last byte, as a duration or in seconds.

    Raises:
        ConfigurationError: both an authority is named and anybody trusted.
        ValueError: a limit is not positive.

    Example:
        >>> Network(ca_bundle="company.pem", answer_bytes=64 * 1024 * 1024)
        Network(ca_bundle='company.pem', answer_bytes=67108864)
    """

    ca_bundle: str | None = attrs.field(default=None, converter=_text_of)
    trust_any_certificate: bool = False
    allow_http: bool = False
    answer_bytes: int = attrs.field(default=256 * _MIB, validator=attrs.validators.gt(0))
    answer_time: timedelta = attrs.field(default=timedelta(hours=1), converter=_duration, validator=_some_time)

    def __attrs_post_init__(self) -> None:
        if self.trust_any_certificate and self.ca_bundle is not None:
            raise ConfigurationError("ca_bundle and trust_any_certificate contradict each other: keep ca_bundle")

    def __repr__(self) -> str:
        fields = attrs.fields(type(self))
        told = [f"{one.name}={getattr(self, one.name)!r}" for one in fields if getattr(self, one.name) != one.default]
        return f"{type(self).__name__}({', '.join(told)})"
