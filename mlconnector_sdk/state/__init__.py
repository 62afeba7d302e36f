"""State stores: where marks, links, dead letters, suppressions, audit and leases survive a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._memory import MemoryStateStore

if TYPE_CHECKING:
    from ._sql import SQLiteStateStore, SQLStateStore

__all__ = ["MemoryStateStore", "SQLStateStore", "SQLiteStateStore"]


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes longer to import than the rest of the library together: only those who use it wait for it.
    if name in ("SQLStateStore", "SQLiteStateStore"):
        from . import _sql

        return getattr(_sql, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
