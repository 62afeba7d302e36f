"""Rows of `check`: one attempt each, and the cure when it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..errors import MLConnectorError
from ..models import CheckResult
from ..protocols import Clock
from ..retry import RetryPolicy

__all__ = ["ONCE", "TOLERATED_SKEW", "UnwellError", "skew", "tried"]

ONCE = RetryPolicy(attempts=1, fault_attempts=1)
"""Nothing is tried twice by a check."""

TOLERATED_SKEW = 120.0
"""Seconds that the clocks of two machines may be apart."""


class UnwellError(Exception):
    """It works, and something should be mended all the same: `what is wrong: what to do`."""


def tried(system: str, what: str, attempt: Callable[[], str], *, cure: str = "") -> CheckResult:
    """One row. `attempt` returns what it found, or raises; an error's text is `what happened: what to do`.

    Args:
        cure: the advice for errors that have none of their own.
    """
    try:
        return CheckResult(system=system, what=what, ok=True, detail=attempt())
    except MLConnectorError as error:
        happened, _, advice = error.message.partition(": ")
        return CheckResult(system=system, what=what, ok=False, detail=happened, cure=advice or cure)
    except UnwellError as error:
        happened, _, advice = str(error).partition(": ")
        return CheckResult(system=system, what=what, ok=False, detail=happened, cure=advice)
    except Exception as error:  # a caller's own function (a `save` callback) may raise anything
        return CheckResult(system=system, what=what, ok=False, detail=f"failed with {type(error).__name__}")


def skew(theirs: datetime, clock: Clock, *, far_side: str, matters: str) -> str:
    """How far the two clocks are apart.

    Args:
        far_side: what tells `theirs`: "the instance".
        matters: why it matters, for the advice.

    Raises:
        UnwellError: they are too far apart.
    """
    ahead = (theirs - clock.now()).total_seconds()
    way = "ahead of" if ahead >= 0 else "behind"
    text = f"{far_side} is {abs(ahead):.0f} s {way} this machine"
    if abs(ahead) > TOLERATED_SKEW:
        raise UnwellError(f"{text}: set the clocks; {matters}")
    return text
