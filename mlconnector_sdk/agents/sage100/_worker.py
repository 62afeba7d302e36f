"""A thread of its own for a session: COM objects may only be used on the thread that made them."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Worker"]

_T = TypeVar("_T")


class Worker:
    """Runs calls one after the other on one thread, and `at_rest` after a while without any.

    The thread is a daemon: one that hangs in a call that never returns does not keep the process from ending.
    """

    def __init__(self, *, begin: Callable[[], None], at_rest: Callable[[], None], rest: float) -> None:
        self._begin = begin
        self._at_rest = at_rest
        self._rest = rest
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sage100-session", daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], _T], *, timeout: float) -> _T:
        """The result of a call, made on the thread.

        Raises:
            TimeoutError: it did not end in time; it may still be under way, and the worker is of no use any more.
        """
        future: Future[_T] = Future()
        self._calls.put((future, call))
        return future.result(timeout)

    def stop(self, farewell: Callable[[], None]) -> None:
        """Let the thread end after the calls it has and a last one, which nobody waits for."""
        self._calls.put((Future(), farewell))
        self._calls.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _work(self) -> None:
        begun = False
        while True:
            try:
                item = self._calls.get(timeout=self._rest)
            except queue.Empty:
                self._at_rest()
                continue
            if item is None:
                return
            future, call = item
            try:
                if not begun:
                    self._begin()
                    begun = True
                future.set_result(call())
            except BaseException as error:
                _let_go(error)
                future.set_exception(error)
            del item, future, call


def _let_go(error: BaseException | None) -> None:
    """Empty the frames an error came through: what they hold are COM objects, which must end on their own thread."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
