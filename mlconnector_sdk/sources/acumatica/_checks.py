"""What `check` tries, one line each, with the cure when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from ...models import CheckResult, StreamName, StreamSpec
from ...protocols import Clock
from ...retry import RetryPolicy
from .._checks import ONCE, skew, tried
from ._listing import Listing
from ._session import SYSTEM, Session

__all__ = ["check_instance"]

_ADDRESS_CURE = "use the instance's address with its site folder, as in https://erp.example.com/Acme"


class Listings(Protocol):
    """Gives the listing of a stream."""

    def __call__(self, stream: StreamName, *, retry: RetryPolicy | None = None) -> Listing: ...


def check_instance(
    session: Session, streams: Mapping[StreamName, StreamSpec], listing_of: Listings, clock: Clock
) -> Iterator[CheckResult]:
    """The results, in the order in which one thing depends on another; ends where nothing further can be tried."""
    address = tried(SYSTEM, "address and version", lambda: _address(session), cure=_ADDRESS_CURE)
    yield address
    if not address.ok:
        return
    yield tried(SYSTEM, "clock", lambda: _clock(session, clock))
    sign_in = tried(SYSTEM, "sign-in", lambda: _sign_in(session))
    yield sign_in
    if sign_in.ok:
        for stream in streams:
            yield tried(SYSTEM, f"stream {stream}", lambda stream=stream: _stream(stream, listing_of))  # type: ignore[misc]


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
    matters = "marks follow the instance, tokens expire by this machine's clock"
    return skew(session.now(retry=ONCE), clock, far_side="the instance", matters=matters)
