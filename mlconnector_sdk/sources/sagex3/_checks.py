"""What `check` tries, one line each, with the cure when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Protocol

from ...models import CheckResult, StreamName
from ...protocols import Clock
from ...retry import RetryPolicy
from .._checks import ONCE, skew, tried
from ._api import SYSTEM, Connection, Entity
from ._owners import Owners

__all__ = ["check_site"]


class Needs(Protocol):
    """Raises when an entity lacks a field that is needed."""

    def __call__(self, entity: Entity, *, retry: RetryPolicy | None = None) -> None: ...


def check_site(
    connection: Connection, entities: Mapping[StreamName, Entity], needs: Needs, owners: Owners, clock: Clock
) -> Iterator[CheckResult]:
    """The results; ends when the site cannot be reached or refuses the sign-in."""
    for greeting in connection.greet():
        result = tried(SYSTEM, greeting.what, lambda: greeting.attempt(ONCE), cure=greeting.cure)  # noqa: B023 - used at once
        yield result
        if not result.ok:
            return
    yield tried(SYSTEM, "clock", lambda: _clock(connection, clock))
    for stream, entity in entities.items():
        yield tried(SYSTEM, f"stream {stream}", lambda: _stream(connection, entity, needs, owners))  # noqa: B023 - used at once


def _clock(connection: Connection, clock: Clock) -> str:
    return skew(connection.now(retry=ONCE), clock, far_side="the server", matters="marks follow the server")


def _stream(connection: Connection, entity: Entity, needs: Needs, owners: Owners) -> str:
    needs(entity, retry=ONCE)
    known = connection.known(entity, retry=ONCE)
    connection.sample(entity, retry=ONCE)
    if not known.stamps:
        return f"{known.note or entity.table}, everything each time: lists have no change stamp"
    # Nothing was changed tomorrow, so the question costs nothing where it may be put.
    found_by = owners.ladder.probe(entity, connection.now(retry=ONCE) + timedelta(days=1))
    unseen = owners.unseen(entity)
    more = f"; a full scan finds changes of {' and '.join(unseen)} alone" if unseen else ""
    return f"{known.note or entity.table}, {found_by}{more}"
