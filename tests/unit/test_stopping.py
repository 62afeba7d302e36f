"""Pauses that end when a run is asked to stop."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlconnector_sdk._stopping import StopRequest, StopWaiting, asked_to_stop, carried, pause, stoppable
from mlconnector_sdk.errors import UnavailableError
from mlconnector_sdk.retry import RetryPolicy

AGES = 3600.0


def test_a_pause_ends_when_it_is_asked_to():
    """A pause of an hour ends at the next look after the stop, and raises what nobody takes for a failure."""
    answers = iter([False, True])
    with stoppable(lambda: next(answers)), pytest.raises(StopWaiting):
        pause(AGES)


def test_a_pause_nobody_asks_to_end_is_kept():
    """Without a stop a pause is waited out, and nothing is raised."""
    pause(0.0)
    with stoppable(lambda: False):
        pause(0.01)
    assert not asked_to_stop()


def test_a_stopped_call_is_not_tried_again():
    """A stop during the pause before another try ends the call; the pause was announced, the try is not made."""
    stop, calls, heard = StopRequest(), [], []

    def fail() -> None:
        calls.append(1)
        raise UnavailableError("down", retry_after=60)

    def listen(_: object, wait: float, tries: int) -> None:
        heard.append((wait >= 60, tries))
        stop.set()

    with stoppable(stop.is_set), pytest.raises(StopWaiting):
        RetryPolicy().call(fail, on_wait=listen)

    assert (1, [(True, 1)]) == (len(calls), heard)


def test_whoever_may_stop_the_whole_may_stop_a_part():
    """Inside, both may ask; outside, only the outer one."""
    whole, part = StopRequest(), StopRequest()
    with stoppable(whole.is_set):
        with stoppable(part.is_set):
            part.set()
            assert asked_to_stop()
            part.clear()
            whole.set()
            assert asked_to_stop()
        whole.clear()
        part.set()
        assert not asked_to_stop()


def test_work_in_other_threads_is_stopped_with_the_whole():
    """Work that is carried to other threads, at once in several of them, hears the stop; other work does not."""
    stop, both = StopRequest(), threading.Barrier(2)

    def work(_: int) -> bool:
        both.wait(timeout=10)
        return asked_to_stop()

    with ThreadPoolExecutor(2) as pool:
        with stoppable(stop.is_set):
            heard = carried(work)
        stop.set()
        assert [True, True] == list(pool.map(heard, range(2)))
        assert [False, False] == list(pool.map(work, range(2)))
