"""Reads tables through api1: thin lists, and what they lack from further classes and single records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ...errors import ContractError
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._paging import cursor_pages
from .._values import Row
from ._api import CUSTOMERS, SYSTEM, Condition, Entity, Greeting, Known, Question, RefusedQuestionError
from ._api1 import list_path, listed_in, literal, where_any
from ._crew import Crew
from ._rest_facets import Facets, Plan
from ._rest_session import RestSession
from ._rest_whole import Completer
from ._views import View, Views

__all__ = ["RestConnection"]


class RestConnection:
    """One endpoint of api1."""

    def __init__(self, *, session: RestSession, views: Views, page_size: int, concurrency: int, user: str) -> None:
        self._session = session
        self._views = views
        self._page_size = page_size
        self._user = user
        self._facets = Facets(session=session, views=views)
        self._crew = Crew(concurrency)
        self._completer = Completer(session=session, views=views, rows_of=self._matching, crew=self._crew)

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        return self._session.address

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        return self._session.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes; nothing here asks what time it is."""
        self._session.attach(retry=retry, on_wait=on_wait)

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._crew.close()
        self._session.close()

    def greet(self) -> Iterator[Greeting]:
        """One row of the customers' list."""
        yield Greeting(what="address and sign-in", attempt=self._sign_in)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime:
        """The server's clock, as the head of an answer tells it."""
        view = self._views.of(CUSTOMERS.table)
        operation = _listing(view)
        _, moment = self._session.get(_first_row(view), operation, retry=retry)
        if moment is None:
            raise ContractError(
                "the answer has no Date header, perhaps cut by a proxy: the server's clock is needed",
                system=SYSTEM,
                operation=operation,
                reason="no_clock",
            )
        return moment

    def known(self, entity: Entity, *, retry: RetryPolicy | None = None) -> Known:
        """What the facets of an entity's representation have, and those of the classes beside it."""
        return self._plan(entity, retry).known

    def pages(self, entity: Entity, question: Question = Question()) -> Iterator[list[Row]]:
        """The rows asked for, by the server's own links from page to page.

        Changed rows are not sorted: rows that change meanwhile are met again by the next read in any order.
        """
        view = self._views.of(entity.table)
        stamp = view.names.get(question.stamp, question.stamp)
        where = order_by = ""
        if question.way == "since" and question.since is not None:
            where = f"{stamp} ge {literal(question.since)}"
        elif question.way == "latest":
            order_by = f"{stamp} desc"
        begun = False
        try:
            for rows in self._list(view, where=where, order_by=order_by, fields=[stamp]):
                begun = True
                yield rows
        except ContractError as error:
            if begun or question.way == "all" or error.reason != "refused_query":
                raise
            raise RefusedQuestionError(error.message, system=SYSTEM, operation=error.operation) from error

    def matching(self, entity: Entity, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """The rows that meet one of the conditions."""
        return self._matching(self._views.of(entity.table), conditions)

    def completed(self, entity: Entity, rows: Sequence[Row]) -> list[Row]:
        """The rows with what their list lacks."""
        return self._completer.completed(entity, self._plan(entity, None), rows)

    def sample(self, entity: Entity, *, retry: RetryPolicy | None = None) -> list[Row]:
        """One completed row at most."""
        view = self._views.of(entity.table)
        body, _ = self._session.get(_first_row(view), _listing(view), retry=retry)
        return self.completed(entity, [view.renamed(row) for row in listed_in(body).rows[:1]])

    def _sign_in(self, retry: RetryPolicy) -> str:
        view = self._views.of(CUSTOMERS.table)
        self._session.get(_first_row(view), _listing(view), retry=retry)
        return f"{self._user or 'signed in'} at {self.address}"

    def _plan(self, entity: Entity, retry: RetryPolicy | None) -> Plan:
        return self._facets.plan(entity, retry=retry)

    def _matching(self, view: View, conditions: Iterable[Condition]) -> Iterator[list[Row]]:
        wanted = list(conditions)
        fields = sorted({view.names.get(name, name) for condition in wanted for name in condition})
        for where in where_any(wanted, view.names):
            yield from self._list(view, where=where, fields=fields)

    def _list(
        self, view: View, *, where: str = "", order_by: str = "", fields: Sequence[str] = ()
    ) -> Iterator[list[Row]]:
        operation = _listing(view)
        start = list_path(view.class_name, view.representation, count=self._page_size, where=where, order_by=order_by)

        def fetch(link: str | None) -> tuple[list[Row], str | None]:
            named = fields if where or order_by else ()
            body = (
                self._session.get(start, operation, fields=named)[0]
                if link is None
                else self._session.follow(link, operation)
            )
            listed = listed_in(body)
            return [view.renamed(row) for row in listed.rows], listed.next_link or None

        yield from cursor_pages(fetch)


def _listing(view: View) -> str:
    return f"GET {view}.$query"


def _first_row(view: View) -> str:
    return list_path(view.class_name, view.representation, count=1)
