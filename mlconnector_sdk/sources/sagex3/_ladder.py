"""How changed rows are found: by a filter, else by the latest first, else by reading all.

Whether a site can filter or sort by a change stamp is known only by trying. What worked is remembered for each entity.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Literal

import attrs

from ...errors import MappingError
from .._values import Row
from ._api import SYSTEM, Connection, Entity, Known, Question, RefusedQuestionError, StampKind
from ._fields import moment_in

__all__ = ["Ladder", "Step"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")

_DAY = timedelta(days=1)


@attrs.frozen
class Step:
    """One way to find changes, by one stamp."""

    way: Literal["since", "latest", "all"]
    stamp: str = ""
    kind: StampKind = "moment"

    def __str__(self) -> str:
        return {
            "since": f"changes by {self.stamp}",
            "latest": f"changes by {self.stamp}, the latest first",
            "all": f"everything each time{f', changes by {self.stamp}' if self.stamp else ''}",
        }[self.way]

    def question(self, since: datetime) -> Question:
        """What to ask for. A calendar day is the server's own, which may begin earlier or later than in UTC."""
        if self.way != "since":
            return Question(way=self.way, stamp=self.stamp)
        bound: datetime | date = since if self.kind == "moment" else since.date() - _DAY
        return Question(way="since", stamp=self.stamp, since=bound)

    def is_older(self, row: Row, since: datetime) -> bool | None:
        """Whether the row was changed before `since`; `None` where that cannot be told."""
        moment = _moment(row, self.stamp) if self.stamp else None
        if moment is None:
            return None
        return moment < (since if self.kind == "moment" else since - 2 * _DAY)


@attrs.frozen
class Ladder:
    """Reads changed rows of a site, one step lower each time one is refused."""

    connection: Connection
    _settled: dict[str, Step] = attrs.field(factory=dict, init=False)

    def changed(self, entity: Entity, since: datetime) -> Iterator[list[Row]]:
        """Rows changed at `since` or later, as a list gives them; others may come as well.

        Rows without a stamp come only where everything is read anyway.

        Raises:
            RefusedQuestionError: the last step was refused too.
        """
        steps = _steps(self.connection.known(entity))
        remembered = self._settled.get(entity.table)
        # What was refused once is not asked again; a site that was changed since may have to go lower still.
        rest = steps[steps.index(remembered) :] if remembered in steps else steps
        yield from self._descending(entity, rest, since, best=steps[0])

    def _descending(self, entity: Entity, steps: list[Step], since: datetime, *, best: Step) -> Iterator[list[Row]]:
        step, *lower = steps
        try:
            for rows in self._rows(entity, step, since):
                self._settle(entity, step, best=best)
                yield rows
            self._settle(entity, step, best=best)
        except RefusedQuestionError:
            self._settled.pop(entity.table, None)
            if not lower:
                raise
            yield from self._descending(entity, lower, since, best=best)

    def probe(self, entity: Entity, since: datetime) -> str:
        """Find out how changes are found, by one page at most of each way; says it for people."""
        steps = _steps(self.connection.known(entity))
        for step in steps if entity.table not in self._settled else ():
            try:
                # The last way is always open, and would begin a long read.
                if step is not steps[-1]:
                    next(self.connection.pages(entity, step.question(since)), None)
            except RefusedQuestionError:
                continue
            self._settle(entity, step, best=steps[0])
        return str(self._settled[entity.table])

    def has_stamp(self, entity: Entity) -> bool:
        """Whether rows of a list say at all when they were changed."""
        return bool(self.connection.known(entity).stamps)

    def _settle(self, entity: Entity, step: Step, *, best: Step) -> None:
        if entity.table in self._settled:
            return
        self._settled[entity.table] = step
        if step != best:
            log.warning(
                "sagex3 %s: %s, because the server refused %s",
                entity.table,
                step,
                best,
                extra={"mlc_system": SYSTEM, "mlc_entity": entity.table},
            )

    def _rows(self, entity: Entity, step: Step, since: datetime) -> Iterator[list[Row]]:
        pages = self.connection.pages(entity, step.question(since))
        if step.way == "latest":
            yield from _until_older(pages, step, since)
        elif step.way == "all":
            for rows in pages:
                if fresh := [row for row in rows if not step.is_older(row, since)]:
                    yield fresh
        else:
            yield from pages


def _steps(known: Known) -> list[Step]:
    """The best first; reading everything is always possible, and spares rows whose stamp is old."""
    stamps = list(known.stamps.items())
    return [
        *(Step("since", stamp, kind) for stamp, kind in stamps),
        *(Step("latest", stamp, kind) for stamp, kind in stamps),
        Step("all", *stamps[0]) if stamps else Step("all"),
    ]


def _until_older(pages: Iterator[list[Row]], step: Step, since: datetime) -> Iterator[list[Row]]:
    """The latest rows first, up to the page with the first one that is older.

    A server may ignore the order it was asked for. So nothing ends before rows were seen to get older, and none may be
    younger than the one before it.

    Raises:
        RefusedQuestionError: the rows are not in that order.
    """
    latest: datetime | None = None
    descends = has_older = False
    for rows in pages:
        fresh: list[Row] = []
        for row in rows:
            moment = _moment(row, step.stamp)
            if moment is None:
                # Databases put empty stamps first or last: they tell nothing, and end nothing.
                continue
            if latest is not None and moment > latest:
                raise RefusedQuestionError(f"rows are not sorted by {step.stamp}", system=SYSTEM)
            descends = descends or (latest is not None and moment < latest)
            latest = moment
            if step.is_older(row, since):
                has_older = True
            else:
                fresh.append(row)
        if fresh:
            yield fresh
        if has_older and descends:
            return


def _moment(row: Row, stamp: str) -> datetime | None:
    try:
        return moment_in(row, stamp)
    except MappingError:
        return None
