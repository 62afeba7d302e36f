from __future__ import annotations

import gc
import threading
import time

import pytest

from mlconnector_sdk._stopping import StopWaiting, stoppable
from mlconnector_sdk.mailchimp._limiter import AccountLimiter, limiter_for


def test_no_more_pass_than_there_are_places():
    """With two places, the third request waits until one of the others is done."""
    limiter, entered = AccountLimiter(2), threading.Semaphore(0)
    leave = threading.Event()

    def pass_through() -> None:
        with limiter:
            entered.release()
            leave.wait(5)

    threads = [threading.Thread(target=pass_through) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=5)
    assert entered.acquire(timeout=5)
    assert not entered.acquire(timeout=0.05)
    leave.set()
    assert entered.acquire(timeout=5)
    for thread in threads:
        thread.join()


def test_a_pause_holds_for_everybody():
    """Nobody enters before the pause is over, and a shorter pause does not end it."""
    limiter = AccountLimiter(8)
    until = time.monotonic() + 0.1
    limiter.pause(0.1)
    limiter.pause(0.0)
    with limiter:
        assert time.monotonic() >= until


def test_one_account_has_one_limiter():
    """Same host and credential share a limiter of the smallest size asked for; others have their own."""
    first = limiter_for("us6.api.mailchimp.com", "key-us6", 8)
    second = limiter_for("us6.api.mailchimp.com", "key-us6", 3)
    other = limiter_for("us6.api.mailchimp.com", "other-us6", 8)
    assert (True, 3, 8) == (first is second, first.size, other.size)


def test_a_limiter_lives_as_long_as_it_is_held():
    """Nothing of an account remains once its last sink is gone."""
    held = limiter_for("us6.api.mailchimp.com", "passing-us6", 2)
    del held
    gc.collect()
    assert 8 == limiter_for("us6.api.mailchimp.com", "passing-us6", 8).size


def test_a_stop_ends_the_wait_for_the_end_of_a_pause():
    """Whoever waits for the end of a pause leaves when the run is stopped, and takes no place with it."""
    limiter = AccountLimiter(1)
    limiter.pause(60)
    with stoppable(lambda: True), pytest.raises(StopWaiting), limiter:
        pass
    limiter._resumes_at = 0.0
    with stoppable(lambda: True), limiter:
        pass
