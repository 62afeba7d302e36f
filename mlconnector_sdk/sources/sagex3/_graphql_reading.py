"""Reads tables through GraphQL: pages by cursors, rows with what is beside them, rows by keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from ...errors import ContractError, TimeoutExceededError
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._base import placed
from .._paging import cursor_pages
from .._values import Row
from ._api import SYSTEM, Condition, Entity, Greeting, Known, Question, RefusedQuestionError
from ._crew import Crew
from ._graphql_answers import REFUSED, TOO_MANY
from ._graphql_names import FAMILIES
from ._graphql_places import Step
from ._graphql_plans import Beside, Names, Planner
from ._graphql_queries import BY_KEY, NOW, Selection, all_of, by_ways, changed_since, order, rest_text
from ._graphql_rows import MORE, Rows, Shape, page_in, part_at, with_rest
from ._graphql_schema import INTROSPECTION, Schema
from ._graphql_session import GraphQLSession

__all__ = ["GraphQLConnection", "Watch"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")

_SMALLEST_PAGE = 5
_KEYS_AT_ONCE = 100
_SIGN_IN = "sign in"


@attrs.define
class Watch:
    """The clock by which tokens are renewed: an engine brings its own."""

    clock: Clock

    def __call__(self) -> datetime:
        return self.clock.now()


@attrs.define
class _PageSize:
    """Rows to ask for, shared by all lists of a folder."""

    rows: int

    def halve(self) -> bool:
        """Ask for less; false when it cannot get much less."""
        if self.rows // 2 < _SMALLEST_PAGE:
            return False
        self.rows //= 2
        log.warning("sagex3 gives no page of that size; asking for %d rows", self.rows, extra={"mlc_system": SYSTEM})
        return True


class GraphQLConnection:
    """One folder behind the GraphQL service."""

    def __init__(
        self,
        *,
        session: GraphQLSession,
        schema: Schema,
        names: Names,
        page_size: int,
        concurrency: int,
        user: str,
        watch: Watch,
    ) -> None:
        self._session = session
        self._schema = schema
        self._planner = Planner(schema, names)
        self._size = _PageSize(page_size)
        self._crew = Crew(concurrency)
        self._user = user
        self._watch = watch
        self._shapes: dict[int, Shape] = {}
        self._refused: set[tuple[str, str]] = set()

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        return self._session.address

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        return self._session.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes; its clock tells when tokens end."""
        self._session.attach(retry=retry, on_wait=on_wait)
        self._watch.clock = clock or self._watch.clock

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._crew.close()
        self._session.close()

    def greet(self) -> Iterator[Greeting]:
        """A question that needs no right, then what the service shows of itself."""
        yield Greeting(what="address and sign-in", attempt=self._sign_in)
        yield Greeting(what="schema", attempt=self._packages)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime:
        """The server's clock, as the head of an answer tells it."""
        moment = self._session.clock(NOW, _SIGN_IN, retry)
        if moment is None:
            raise ContractError(
                "the answer has no Date header, perhaps cut by a proxy: the server's clock is needed",
                system=SYSTEM,
                operation=_SIGN_IN,
                reason="no_clock",
            )
        return moment

    def known(self, entity: Entity, *, retry: RetryPolicy | None = None) -> Known:
        """The properties that the schema has for an entity.

        Raises:
            ContractError: it has no such node, or none for a field that is needed.
        """
        plan = self._planner.plan(entity, retry=retry)
        if plan.lacking:
            raise ContractError(plan.lacking, system=SYSTEM, operation=INTROSPECTION, reason="no_field")
        return plan.known

    def pages(self, entity: Entity, question: Question = Question()) -> Iterator[list[Row]]:
        """The rows asked for, in the order of their keys, or of their stamps where the latest come first.

        Keys do not move: rows that change meanwhile neither shift others nor come twice.
        """
        shape = self._shape(entity)
        place = shape.plan.place(question.stamp)
        if question.way != "all" and place is None:
            raise RefusedQuestionError(f"{shape.plan.node} has no {question.stamp}", system=SYSTEM)
        condition, sorting = "", BY_KEY
        if question.way == "since" and place is not None and question.since is not None:
            condition = changed_since(place, question.since)
        elif question.way == "latest":
            sorting = order(place, descending=True)
        begun = False
        try:
            for rows in self._list(shape, condition, sorting):
                begun = True
                yield rows
        except ContractError as error:
            if begun or question.way == "all" or error.reason != REFUSED:
                raise
            raise RefusedQuestionError(error.message, system=SYSTEM, operation=error.operation) from error

    def matching(self, entity: Entity, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """The rows that meet one of the conditions, many at once where the service knows how.

        Raises:
            ContractError: the schema has no property for a field of the conditions.
        """
        shape = self._shape(entity)
        for start in range(0, len(conditions), _KEYS_AT_ONCE):
            yield from self._meeting(shape, conditions[start : start + _KEYS_AT_ONCE])

    def completed(self, entity: Entity, rows: Sequence[Row]) -> list[Row]:
        """The rows with the rest of long collections, and with rows to which no reference leads."""
        shape = self._shape(entity)
        # Rows that came whole are nearly all, and handing one to another thread takes longer than reading it.
        ended = iter(self._crew.each(lambda row: self._whole(shape, row), [row for row in rows if MORE in row]))
        whole = [one for row in rows if (one := next(ended) if MORE in row else row) is not None]
        for beside in shape.plan.beside:
            whole = self._with_beside(beside, whole)
        return whole

    def sample(self, entity: Entity, *, retry: RetryPolicy | None = None) -> list[Row]:
        """One completed row at most."""
        shape = self._shape(entity, retry)
        page = self._ask_page(shape, {"first": 1, "orderBy": BY_KEY}, retry)
        return self.completed(entity, [shape.row(node) for node in page.nodes])

    # -- asking -----------------------------------------------------------------------------------------------------

    def _sign_in(self, retry: RetryPolicy) -> str:
        self._session.ask(NOW, {}, _SIGN_IN, retry)
        return f"{self._user or 'signed in'} at {self.address}"

    def _packages(self, retry: RetryPolicy) -> str:
        packages = self._schema.packages(retry=retry)
        named = [name for name in packages if name.endswith(FAMILIES)] or packages[:3]
        return f"{len(packages)} packages, among them {', '.join(named)}"

    def _shape(self, entity: Entity, retry: RetryPolicy | None = None) -> Shape:
        plan = self._planner.plan(entity, retry=retry)
        if id(plan) not in self._shapes:
            self._shapes[id(plan)] = Shape(plan)
        return self._shapes[id(plan)]

    def _list(self, shape: Shape, condition: str, sorting: str) -> Iterator[list[Row]]:
        fixed = {"orderBy": sorting, **({"filter": condition} if condition else {})}

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            page = self._page(shape, fixed, cursor)
            return [shape.row(node) for node in page.nodes], page.cursor

        yield from cursor_pages(fetch)

    def _page(self, shape: Shape, fixed: Mapping[str, Any], cursor: str | None) -> Rows:
        """A page, of fewer rows where the service does not manage so many in time."""
        after = {} if cursor is None else {"after": cursor}
        while True:
            try:
                return self._ask_page(shape, {"first": self._size.rows, **after, **fixed}, None)
            except TimeoutExceededError:
                if not self._size.halve():
                    raise
            except ContractError as error:
                if error.reason != TOO_MANY or not self._size.halve():
                    raise

    def _ask_page(self, shape: Shape, variables: Mapping[str, Any], retry: RetryPolicy | None) -> Rows:
        node = shape.plan.node
        operation = f"query {node}"
        lines = {} if shape.plan.lines is None else {"lines": self._size.rows}
        found = self._session.ask(shape.text, {**lines, **variables}, operation, retry)
        with placed(SYSTEM, operation):
            return page_in(_inside(found, node.package, node.name, "query"))

    # -- by keys ----------------------------------------------------------------------------------------------------

    def _meeting(self, shape: Shape, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """In one question if the service takes one of the spellings, else in a question for each condition."""
        plan = shape.plan
        missing = {code for one in conditions for code, value in one.items() if plan.place(code) is None}
        if missing - {"BPATYP"}:
            raise ContractError(
                plan.lacking or f"{plan.node} has no property for {', '.join(sorted(missing))}", system=SYSTEM
            )
        for way, condition in by_ways(plan, conditions).items():
            place = (plan.entity.table, way)
            if place in self._refused:
                continue
            begun = False
            try:
                for rows in self._list(shape, condition, BY_KEY):
                    begun = True
                    yield rows
            except ContractError as error:
                if begun or error.reason != REFUSED or len(conditions) == 1:
                    raise
                self._refused.add(place)
            else:
                return
        yield from filter(None, self._crew.each(lambda one: self._alone(shape, one), conditions))

    def _alone(self, shape: Shape, condition: Condition) -> list[Row]:
        return [row for rows in self._list(shape, all_of(shape.plan, condition), BY_KEY) for row in rows]

    # -- making whole -----------------------------------------------------------------------------------------------

    def _whole(self, shape: Shape, row: Row) -> Row | None:
        """The row with all rows of its collections; `None` where it is gone."""
        node = row[MORE]
        for way, below in shape.cut_off(row[MORE]):
            rest = self._rest(shape, str(node.get("_id")), way, below)
            if rest is None:
                return None
            node = with_rest(node, way, rest)
        return {**{name: value for name, value in row.items() if name != MORE}, **shape.row(node)}

    def _rest(self, shape: Shape, key: str, way: Sequence[Step], below: Selection) -> list[Row] | None:
        plan = shape.plan
        node, lines = plan.node, plan.lines
        text = rest_text(node, way, below)
        by_number = lines is not None and lines.order and list(way) == [lines.step]
        sorting = f'{{"{lines.order}":1,"_id":1}}' if lines is not None and by_number else BY_KEY
        operation = f"query {node}.{way[-1].name}"
        gone = False

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            nonlocal gone
            after = {} if cursor is None else {"after": cursor}
            variables = {"id": key, "first": self._size.rows, "orderBy": sorting, **after}
            found = self._session.ask(text, variables, operation)
            part = part_at(_inside(found, node.package, node.name, "read"), way)
            if part is None:
                gone = True
                return [], None
            with placed(SYSTEM, operation):
                page = page_in(part)
            return page.nodes, page.cursor

        rows = [row for page in cursor_pages(fetch) for row in page]
        return None if gone else rows

    def _with_beside(self, beside: Beside, rows: list[Row]) -> list[Row]:
        sources = {name: source for name, source in beside.join.on.items() if isinstance(source, str)}
        fixed = {name: value for name, value in beside.join.on.items() if not isinstance(value, str)}
        keys = [tuple(_text(row.get(source)) for source in sources.values()) for row in rows]
        wanted = [key for key in dict.fromkeys(keys) if all(key)]
        conditions: list[Condition] = [{**fixed, **dict(zip(sources, key, strict=True))} for key in wanted]
        found: dict[tuple[str, ...], Row] = {}
        for page in self.matching(beside.entity, conditions):
            found |= {tuple(_text(row.get(name)) for name in sources): row for row in page}
        table = beside.join.table
        return [
            {**row, **{f"{table}.{code}": found[key].get(code) for code in beside.entity.fields}}
            if key in found
            else row
            for row, key in zip(rows, keys, strict=True)
        ]


def _inside(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: object) -> str:
    return str(value or "").strip()
