"""Audit entries and dead letters as JSON lines, for whatever keeps or reads logs."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any, TextIO, TypeAlias

import attrs

from ..errors import ConfigurationError
from ..models import AuditEntry, DeadLetter

__all__ = ["Target", "write_jsonl"]

Target: TypeAlias = str | os.PathLike[str] | TextIO
"""A path, whose file is made anew and readable by its owner only, or an open text file."""


def write_jsonl(values: Iterable[AuditEntry | DeadLetter], target: Target) -> int:
    """Write one object per line, as they come; returns how many.

    Raises:
        ConfigurationError: the file cannot be made.
    """
    count = 0
    with _opened(target) as file:
        for count, value in enumerate(values, 1):  # noqa: B007 - the last number is the answer
            line = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
            file.write(json.dumps(line, ensure_ascii=False, default=_as_text) + "\n")
    return count


@contextmanager
def _opened(target: Target) -> Iterator[TextIO]:
    if not isinstance(target, (str, os.PathLike)):
        yield target
        return
    try:
        # Payloads are people's data: a file that is made here is nobody else's to read.
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{os.fspath(target)} cannot be written ({error.strerror}): check the directory and its rights"
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        yield file


def _as_text(value: Any) -> Any:
    """What JSON has no form for: times as ISO 8601, money as exact text, bytes as base64."""
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return str(value)
