"""What `check` tries, one line each, with the cure when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ...errors import MLConnectorError
from ...models import CheckResult, StreamName, StreamSpec
from ...protocols import Clock
from ...retry import RetryPolicy
from ._listing import Listing
from ._session import ONCE, SYSTEM, Session

__all__ = ["check_instance"]

TOLERATED_SKEW = 120.0

_ADDRESS_CURE = "use the instance's address with its site folder, as in https://erp.example.com/Acme"


class Listings(Protocol):
    """Gives the listing of a stream."""

    def __call__(self, stream: StreamName, *, retry: RetryPolicy | None = None) -> Listing: ...


def check_instance(
    session: Session, streams: Mapping[StreamName, StreamSpec], listing_of: Listings, clock: Clock
) -> Iterator[CheckResult]:
    """The results, in the order in which one thing depends on another; ends where nothing further can be tried."""
    address = _tried("address and version", lambda: _address(session), cure=_ADDRESS_CURE)
    yield address
    if not address.ok:
        return
    yield _tried("clock", lambda: _clock(session, clock))
    sign_in = _tried("sign-in", lambda: _sign_in(session))
    yield sign_in
    if sign_in.ok:
        for stream in streams:
            yield _tried(f"stream {stream}", lambda stream=stream: _stream(stream, listing_of))  # type: ignore[misc]


class _UnwellError(Exception):
    """It works, and something should be mended all the same."""


def _tried(what: str, attempt: Callable[[], str], *, cure: str = "") -> CheckResult:
    try:
        return CheckResult(system=SYSTEM, what=what, ok=True, detail=attempt())
    except MLConnectorError as error:
        happened, _, advice = error.message.partition(": ")
        return CheckResult(system=SYSTEM, what=what, ok=False, detail=happened, cure=advice or cure)
    except _UnwellError as error:
        happened, _, advice = str(error).partition(": ")
        return CheckResult(system=SYSTEM, what=what, ok=False, detail=happened, cure=advice)
    except Exception as error:  # a caller's own function (a `save` callback) may raise anything
        return CheckResult(system=SYSTEM, what=what, ok=False, detail=f"failed with {type(error).__name__}")


def _address(session: Session) -> str:
    site = session.site(retry=ONCE)
    return f"{session.endpoint} {site.version}" + (f" on build {site.build}" if site.build else "")


def _sign_in(session: Session) -> str:
    session.sign_in(retry=ONCE)
    return session.user


def _stream(stream: StreamName, listing_of: Listings) -> str:
    listing = listing_of(stream, retry=ONCE)
    listing.first(ONCE)
    entity = listing.shape.entity
    lacks = f", without {', '.join(listing.given_up)}" if listing.given_up else ""
    slow = ", record by record" if listing.by_key else ""
    return f"{entity.name} (form {entity.screen}){lacks}{slow}"


def _clock(session: Session, clock: Clock) -> str:
    ahead = (session.now(retry=ONCE) - clock.now()).total_seconds()
    way = "ahead of" if ahead >= 0 else "behind"
    text = f"the instance is {abs(ahead):.0f} s {way} this machine"
    if abs(ahead) > TOLERATED_SKEW:
        raise _UnwellError(f"{text}: set the clocks; marks follow the instance, tokens expire by this machine's clock")
    return text
