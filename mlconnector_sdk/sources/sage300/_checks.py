"""What `check` tries, one line each, with the cure when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from ...models import CheckResult, StreamName, StreamSpec
from ...protocols import Clock
from ...retry import RetryPolicy
from .._checks import ONCE, skew, tried
from ._api import SYSTEM
from ._fields import Resource
from ._listing import Listing
from ._session import Session

__all__ = ["check_site"]

_MATTERS = "marks follow the server's date"


class Listings(Protocol):
    """Gives the listing of a stream."""

    def __call__(self, stream: StreamName, *, retry: RetryPolicy | None = None) -> Listing: ...


def check_site(
    session: Session, first: Resource, streams: Mapping[StreamName, StreamSpec], listing_of: Listings, clock: Clock
) -> Iterator[CheckResult]:
    """The results; ends after a refused sign-in, because a few of them lock the account."""
    sign_in = tried(SYSTEM, "address and sign-in", lambda: _sign_in(session, first))
    yield sign_in
    if not sign_in.ok:
        return
    clock_row = tried(SYSTEM, "clock", lambda: _clock(session, first, clock))
    yield clock_row
    for stream in streams:
        yield tried(SYSTEM, f"stream {stream}", lambda stream=stream: _stream(stream, listing_of))  # type: ignore[misc]


def _sign_in(session: Session, resource: Resource) -> str:
    session.properties(resource, retry=ONCE)
    return f"{session.user} in company {session.company}"


def _clock(session: Session, resource: Resource, clock: Clock) -> str:
    return skew(session.now(resource, retry=ONCE), clock, far_side="the server", matters=_MATTERS)


def _stream(stream: StreamName, listing_of: Listings) -> str:
    listing = listing_of(stream, retry=ONCE)
    listing.first(ONCE)
    shape = listing.shape
    changes = f", changes by {' and '.join(shape.cursors)}" if shape.cursors else ", everything each time"
    lacks = f", without {', '.join(shape.lacking)}" if shape.lacking else ""
    return f"{shape.resource.path}{changes}{lacks}"
