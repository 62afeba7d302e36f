"""A few calls at once, for what can only be asked one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import attrs

from ..._stopping import carried

__all__ = ["Crew"]

T = TypeVar("T")
R = TypeVar("R")


@attrs.define
class Crew:
    """Workers that start with the first work; `size` is how many calls are under way at the most."""

    size: int
    _pool: ThreadPoolExecutor | None = attrs.field(default=None, init=False)

    def each(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The results, in their order; the first error is raised, and what has not begun by then is left out."""
        if self.size == 1 or len(items) < 2:
            return [function(item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.size, thread_name_prefix="sagex3")
        work = carried(function)
        futures = [self._pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """End the workers; harmless when repeated."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
