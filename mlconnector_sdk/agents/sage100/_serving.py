"""What the agent does for each kind of request; nothing here knows HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from ... import __version__
from ._boi import Edit, Row, Session, Wanted
from ._contract import CUSTOMERS, Key, Resource
from ._cursors import BATCH, Cursors, Listing, joined, packed
from ._errors import AgentError
from ._pool import SessionPool
from ._requests import Question
from ._settings import AgentSettings
from ._stamps import Order, instant, order_of
from ._writes import Answered

__all__ = ["Service"]

_log = logging.getLogger("mlconnector_sdk.agents.sage100")


class Service:
    """Serves companies, lists and edits through a pool of sessions."""

    def __init__(self, settings: AgentSettings, pool: SessionPool, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._zone = settings.zone
        self._cursors = Cursors(most=settings.cursors, age=settings.cursor_age, clock=clock)
        self._answered = Answered(clock)

    def health(self) -> dict[str, object]:
        """What the agent says of itself without asking Sage 100."""
        now = instant(self._clock(), self._zone)
        sessions, problem = self._pool.sessions(), self._pool.problem
        at_ease = problem is None and not sessions.hung
        return {
            "status": "ok" if at_ease else "degraded",
            "agentVersion": __version__,
            "sage100Version": self._settings.sage100_version,
            "edition": self._settings.edition,
            "now": now,
            "timeZone": self._settings.timezone,
            "utcOffsetMinutes": now["utcOffsetMinutes"],
            "sessions": {
                "max": sessions.max,
                "busy": sessions.busy,
                "open": sessions.open,
                "hung": sessions.hung,
            },
            "lastProblem": problem
            and {"code": problem.code, "at": instant(problem.at, self._zone), "count": problem.count},
        }

    def companies(self) -> list[dict[str, str]]:
        """The companies that are handed out."""
        allowed = self._settings.companies
        found = self._pool.run(None, lambda session: session.companies())
        return [
            {"CompanyCode": code, "CompanyName": name} for code, name in sorted(found) if not allowed or code in allowed
        ]

    def page(self, company: str, resource: Resource, question: Question) -> dict[str, object]:
        """A page of records: by key, the next of a listing, or the first of a new one."""
        self._admit(company)
        wanted = question.wanted
        if question.keys is not None:
            return self._by_keys(company, resource, question.keys, wanted)
        if question.cursor is not None:
            name, listing, position = self._resumed(question.cursor, company, resource, only_keys=False)
            return self._pool.run(company, lambda session: self._filled(session, resource, listing, name, position))

        def first(session: Session) -> dict[str, object]:
            listing = self._settled(session, company, resource, question)
            return self._filled(session, resource, listing, None, 0)

        return self._pool.run(company, first)

    def keys(self, company: str, resource: Resource, question: Question) -> dict[str, object]:
        """A page of keys."""
        self._admit(company)
        if question.cursor is not None:
            name, listing, position = self._resumed(question.cursor, company, resource, only_keys=True)
        else:
            listing = self._pool.run(
                company, lambda session: self._settled(session, company, resource, question, only_keys=True)
            )
            name, position = None, 0
        found = [resource.named(key) for key in listing.keys(position, listing.limit)]
        body = self._head(company, resource, listing.as_of)
        return body | {"keys": found, "nextCursor": self._next(listing, name, position + len(found))}

    def customer(self, company: str, key: Key, fields: Sequence[str] | None) -> Row:
        """One customer."""
        self._admit(company)
        wanted = Wanted(fields=None if fields is None else tuple(fields))
        found = self._pool.run(company, lambda session: list(session.rows(CUSTOMERS, [key], wanted)))
        if not found:
            raise AgentError("NOT_FOUND", "there is no such customer", key=CUSTOMERS.named(key))
        return found[0]

    def mark(self, company: str, edit: Edit, idempotency_key: str, request: bytes) -> object:
        """Change a customer, or repeat what was answered when the same change was asked for before."""
        self._admit(company)
        name = (company, *edit.key, idempotency_key)

        def once(session: Session) -> object:
            # Recalled by whoever has the session, so that two of the same at once do not both write.
            if (answer := self._answered.recall(name, request)) is not None:
                return answer
            edited = session.edit(CUSTOMERS, edit)
            body = {
                "boiResult": edited.result,
                "changed": edited.changed,
                "warnings": list(edited.warnings),
                "record": edited.record,
            }
            self._answered.keep(name, request, body)
            extra = {"mlc_company": company, "mlc_key": edit.key, "mlc_columns": sorted(edit.values)}
            _log.info("a customer was %s", "changed" if edited.changed else "left as it was", extra=extra)
            return body

        return self._pool.run(company, once)

    def _admit(self, company: str) -> None:
        """Refuse companies that this agent does not hand out, before Sage 100 is asked."""
        if self._settings.companies and company not in self._settings.companies:
            message = f"this agent does not hand out company {company}: check the code, or name it in its settings"
            raise AgentError("COMPANY_NOT_FOUND", message)

    def _resumed(self, cursor: str, company: str, resource: Resource, *, only_keys: bool) -> tuple[str, Listing, int]:
        return self._cursors.resume(cursor, company=company, path=resource.path, only_keys=only_keys)

    def _settled(
        self, session: Session, company: str, resource: Resource, question: Question, *, only_keys: bool = False
    ) -> Listing:
        """Gather the keys of a listing and fix their order."""
        start = self._clock()
        since = question.since
        found: list[tuple[Order, str]] = []
        for number, (key, stamp) in enumerate(session.scan(resource, since and since[0])):
            order = order_of(stamp)
            # Without stamps at all nobody can say what changed: then everything counts as changed.
            if since is None or order >= since or not int(stamp.date):
                found.append((order, joined(key)))
            if number % 1000 == 0:
                self._insist_on_time(start)
        self._insist_on_time(start)
        found.sort(key=(lambda item: item[1]) if only_keys else None)
        return Listing(
            company=company,
            path=resource.path,
            as_of=instant(start, self._zone),
            size=len(found),
            batches=packed(key for _, key in found),
            limit=question.limit,
            wanted=question.wanted,
            only_keys=only_keys,
        )

    def _insist_on_time(self, start: datetime) -> None:
        if self._clock() - start > self._settings.scan_time:
            message = "Sage 100 took too long to go through the table: ask for a smaller window, or raise scan_time"
            raise AgentError("TIMEOUT", message)

    def _filled(
        self, session: Session, resource: Resource, listing: Listing, name: str | None, start: int
    ) -> dict[str, object]:
        """A page from a position on; it ends early when time is up."""
        records: list[Row] = []
        begun, position = self._clock(), start
        keys = listing.keys(start, listing.limit)
        for batch in _batches(keys):
            if records and self._clock() - begun > self._settings.page_time:
                break
            records += session.rows(resource, batch, listing.wanted)
            position += len(batch)
        body = self._head(listing.company, resource, listing.as_of)
        return body | {
            "records": records,
            "nextCursor": self._next(listing, name, position),
            "missingFields": session.missing(resource, listing.wanted),
        }

    def _by_keys(self, company: str, resource: Resource, keys: Sequence[Key], wanted: Wanted) -> dict[str, object]:
        as_of = instant(self._clock(), self._zone)

        def read(session: Session) -> dict[str, object]:
            return {
                "records": list(session.rows(resource, keys, wanted)),
                "nextCursor": None,
                "missingFields": session.missing(resource, wanted),
            }

        return self._head(company, resource, as_of) | self._pool.run(company, read)

    def _head(self, company: str, resource: Resource, as_of: Mapping[str, object]) -> dict[str, object]:
        return {"companyCode": company, "table": resource.table, "asOf": dict(as_of)}

    def _next(self, listing: Listing, name: str | None, position: int) -> str | None:
        if position >= listing.size:
            return None
        return self._cursors.cursor(name or self._cursors.keep(listing), position)


def _batches(keys: Iterator[Key]) -> Iterator[list[Key]]:
    while batch := list(islice(keys, BATCH)):
        yield batch
