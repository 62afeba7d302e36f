"""When a call is repeated, and when it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlconnector_sdk.errors import (
    AuthenticationError,
    RateLimitError,
    RecordRejectedError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy


class Flaky:
    """Raises the given errors one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_transient_errors_are_tried_again():
    """A call that fails in passing succeeds in the end, and each pause is announced."""
    flaky = Flaky(UnavailableError("down"), RateLimitError("slow", retry_after=0.01), TimeoutExceededError("late"))
    pauses = []

    answer = RetryPolicy.immediate().call(
        flaky, on_wait=lambda error, wait, tries: pauses.append((error.reason, tries))
    )

    assert (answer, flaky.calls) == ("answer", 4)
    assert pauses == [("unavailable", 1), ("rate_limited", 2), ("timeout", 3)]


@pytest.mark.parametrize("error", [AuthenticationError("no"), RecordRejectedError("no"), ValueError("bug")])
def test_what_would_fail_again_is_tried_once(error):
    """Wrong credentials, refused records and bugs are not repeated."""
    flaky = Flaky(error)
    with pytest.raises(type(error)):
        RetryPolicy.immediate().call(flaky)

    assert flaky.calls == 1


def test_tries_are_counted_with_the_first():
    """`attempts` is the number of calls in all; server faults have a smaller number of their own."""
    for error, calls in ((UnavailableError("down"), 6), (ServerFaultError("fault"), 3)):
        flaky = Flaky(*[error] * 10)
        with pytest.raises(type(error)):
            RetryPolicy.immediate(attempts=6, fault_attempts=3).call(flaky)
        assert flaky.calls == calls
    once = Flaky(ServerFaultError("fault"))
    with pytest.raises(ServerFaultError):
        RetryPolicy(attempts=1).call(once)
    assert once.calls == 1


def test_a_wait_beyond_the_deadline_is_not_begun():
    """When the far side asks for more patience than allowed, the error comes at once and says how long it wanted."""
    flaky = Flaky(RateLimitError("slow", retry_after=3600))
    with pytest.raises(RateLimitError) as caught:
        RetryPolicy(within=timedelta(minutes=1)).call(flaky)

    assert (flaky.calls, caught.value.retry_after) == (1, 3600)


def test_an_asked_pause_is_never_shortened():
    """The random part only adds to what the far side asked for, and stays within a quarter of it."""
    waits = []
    for _ in range(20):
        flaky = Flaky(RateLimitError("slow", retry_after=0.004))
        RetryPolicy.immediate().call(flaky, on_wait=lambda error, wait, tries: waits.append(wait))

    assert min(waits) >= 0.004
    assert max(waits) <= 0.005


def test_pauses_grow_up_to_a_limit():
    """Each pause is twice the last one, until the longest."""
    policy = RetryPolicy(first_wait=1, longest_wait=timedelta(seconds=10))

    assert [policy.wait_before_retry(UnavailableError("down"), n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_what_may_have_been_done_is_not_repeated_unless_harmless():
    """A call that must not be repeated is only tried again when the far side said that it did nothing."""
    lost = Flaky(TimeoutExceededError("late"))
    with pytest.raises(TimeoutExceededError):
        RetryPolicy.immediate().call(lost, repeatable=False)
    refused = Flaky(RateLimitError("slow"))

    assert RetryPolicy.immediate().call(refused, repeatable=False) == "answer"
    assert lost.calls == 1


def test_the_random_part_stays_within_the_deadline():
    """Where the asked pause just fits, the random part is cut, never the asked one."""
    waits = []
    for _ in range(20):
        flaky = Flaky(RateLimitError("slow", retry_after=0.004))
        policy = RetryPolicy(within=0.0045, first_wait=0, longest_wait=0)
        try:
            policy.call(flaky, on_wait=lambda error, wait, tries: waits.append(wait))
        except RateLimitError:
            # The machine was so slow that the pause did not fit any more.
            assert flaky.calls == 1

    assert 0.004 <= min(waits, default=0.004)
    assert max(waits, default=0.004) <= 0.0045


def test_an_error_says_how_long_to_wait():
    """Whoever reads the error is told when to come back, if the far side said so."""
    assert "wait 3600 s" in str(RateLimitError("slow", retry_after=3600, status_code=429))
    assert "wait" not in str(RateLimitError("slow", status_code=429))
