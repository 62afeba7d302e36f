"""Holding the pipeline's lease while a run works, and renewing it in the background."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from datetime import timedelta
from types import TracebackType
from typing import Self

from .._stopping import pause
from ..errors import LeaseHeldError, MLConnectorError
from ..models import Checkpoint, Lease
from ..protocols import Clock, StateStore

__all__ = ["HeldLease", "lease_within", "this_owner"]

log = logging.getLogger("mlconnector_sdk.sync")


def this_owner() -> str:
    """A name for this run that tells a person where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


_LOOK_AGAIN_SECONDS = 0.1


def lease_within(seconds: float, state: StateStore, pipeline: str, *, clock: Clock) -> HeldLease:
    """The pipeline's lease, waited for a little while another run has it.

    Raises:
        LeaseHeldError: it is not free after so many seconds.
        StopWaiting: the run that waits was asked to stop.
    """
    owner, until = this_owner(), time.monotonic() + seconds
    while True:
        try:
            return HeldLease(state, pipeline, owner=owner, clock=clock)
        except LeaseHeldError:
            if time.monotonic() >= until:
                raise
            pause(_LOOK_AGAIN_SECONDS)


class HeldLease:
    """The lease of one run, renewed every third of its duration until left; every commit goes through it."""

    def __init__(
        self, state: StateStore, pipeline: str, *, owner: str, clock: Clock, duration: timedelta = timedelta(minutes=2)
    ) -> None:
        self._state = state
        self._clock = clock
        self._duration = duration
        self._lease: Lease = state.acquire(pipeline, owner, now=clock.now(), duration=duration)
        self._done = threading.Event()
        self._renewer = threading.Thread(target=self._renew_until_done, name=f"lease {pipeline}", daemon=True)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Apply a checkpoint under this lease. Raises `LeaseLostError` when another run took over."""
        self._state.commit(checkpoint, self._lease)

    def __enter__(self) -> Self:
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._renewer.join()
        try:
            self._state.release(self._lease)
        except Exception as second:
            if error is None:
                raise
            # What ended the run matters more; the lease runs out by itself.
            log.warning("the lease could not be released: %s", getattr(second, "reason", type(second).__name__))

    def _renew_until_done(self) -> None:
        while not self._done.wait(self._duration.total_seconds() / 3):
            try:
                self._lease = self._state.renew(self._lease, now=self._clock.now(), duration=self._duration)
            except MLConnectorError as error:
                # The next commit is refused by its fencing number; nothing is lost by going on until then.
                log.warning("the lease could not be renewed: %s", error.reason)
