"""Other libraries log whole addresses, cookies and values: about our calls they say nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["our_call", "silence"]

_ours: ContextVar[bool] = ContextVar("mlconnector_sdk_http", default=False)


@contextmanager
def our_call() -> Iterator[None]:
    """Loggers given to `silence` say nothing about what happens inside."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


class _NotOurs(logging.Filter):
    """Drops what other libraries log about our calls: full URLs, cookies, values. Others' calls pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()


_filter = _NotOurs("mlconnector_sdk")


def silence(*names: str) -> None:
    """Let these loggers of other libraries say nothing about our calls, see `our_call`."""
    for name in names:
        # addFilter ignores a filter that is there already.
        logging.getLogger(name).addFilter(_filter)
