"""Rows of a table: all of them in pages, those between two keys, or those of given keys, never fewer.

A server may cut any answer at a limit it does not tell, so a short answer proves nothing: only an empty one ends a
question.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import attrs

from ...errors import ContractError, PermissionDeniedError
from ...retry import RetryPolicy
from .._paging import keyset_pages
from .._values import Row
from ._tables import SYSTEM, Condition, Connection, Query, Table, Value

__all__ = ["TableReader", "key_of"]

log = logging.getLogger("mlconnector_sdk.sources.syspro")

_MOST_KEYS = 40
"""Keys asked for in one question, fewer where it would become too long."""


def key_of(table: Table, row: Row) -> tuple[Any, ...]:
    """A row's whole key as it was received; only the padding of texts behind the value is cut."""
    try:
        return tuple(_unpadded(row[name]) for name in table.key)
    except KeyError as error:
        raise ContractError(
            f"{table.name} comes without {error.args[0]}: the operator must be allowed to see it", reason="no_key"
        ) from None


def _unpadded(value: Any) -> Any:
    return value.rstrip(" ") if isinstance(value, str) else value


@attrs.define(kw_only=True)
class TableReader:
    """Asks one connection, and learns on the way which welcome columns it does not have.

    Attributes:
        page_size: rows to ask for at once.
        given_up: columns the rows come without, by table.
    """

    connection: Connection
    page_size: int
    given_up: dict[str, list[str]] = attrs.field(factory=dict, init=False)
    _known: dict[tuple[str, tuple[str, ...]], Table] = attrs.field(factory=dict, init=False)
    _seen: set[tuple[str, tuple[str, ...]]] = attrs.field(factory=set, init=False)

    def pages(
        self, table: Table, conditions: Sequence[Condition] = (), *, last: Value | None = None
    ) -> Iterator[list[Row]]:
        """Every row that meets the conditions, in the order of the whole key.

        Args:
            last: the conditions let nothing through behind this value of the first key column.
        """

        def behind(after: tuple[Any, ...] | None) -> list[Row]:
            if after is None:
                return self._first(table, conditions)
            if last is not None and after[0] == last:
                return self._behind(table, conditions, after, within=1)
            return self._from_group(table, conditions, after) or self._behind(table, conditions, after)

        return keyset_pages(behind, key=lambda row: key_of(table, row))

    def between(self, table: Table, first: Value, last: Value) -> Iterator[Row]:
        """Every row whose first key column lies between two values, which came from the server in this order."""
        column = table.key[0]
        limits = (Condition(column, "ge", first), Condition(column, "le", last))
        return (row for page in self.pages(table, limits, last=last) for row in page)

    def of(self, table: Table, values: Iterable[Value]) -> dict[Any, list[Row]]:
        """All rows for each of these values of the first key column; values without rows are absent."""
        found: dict[Any, list[Row]] = {}
        waiting = list(dict.fromkeys(values))
        while waiting:
            batch = self._batch(table, waiting)
            groups = self._whole_groups(table, batch)
            found |= groups
            # Those that did not come may have been cut off, unless nothing of the batch came at all.
            missing = [value for value in batch if value not in groups]
            waiting = (missing if len(missing) < len(batch) else []) + waiting[len(batch) :]
        return found

    def groups(self, table: Table, values: Sequence[Any], *, gapless: bool) -> dict[Any, list[Row]]:
        """The same for values that, when `gapless`, are all there are from the first to the last, in this order."""
        if not gapless or not values:
            return self.of(table, values)
        found: dict[Any, list[Row]] = {}
        for row in self.between(table, values[0], values[-1]):
            found.setdefault(key_of(table, row)[0], []).append(row)
        return found

    def sample(self, table: Table, retry: RetryPolicy) -> list[Row]:
        """One row at most."""
        return self._first(table, (), rows=1, retry=retry)

    def try_out(self, tables: Iterable[Table], retry: RetryPolicy) -> str:
        """Read a row of each table, to see whether that works; says what they come without."""
        asked = list(tables)
        for table in asked:
            self.sample(table, retry)
        given_up = [f"{table.name}.{name}" for table in asked for name in self.given_up.get(table.name, ())]
        names = ", ".join(table.name for table in asked)
        return f"{names}, without {', '.join(given_up)}" if given_up else names

    def _whole_groups(self, table: Table, values: Sequence[Value]) -> dict[Any, list[Row]]:
        rows = self._first(table, _alternatives(table, values), any_of=True)
        groups = {value: list(group) for value, group in groupby(rows, key=lambda row: key_of(table, row)[0])}
        if len(table.key) == 1 or not groups:
            return groups
        # The last group may have been cut; alone, it is read to its end, otherwise it is asked for again.
        last, its_rows = groups.popitem()
        if not groups.keys() & set(values):
            while more := self._behind(table, (), key_of(table, its_rows[-1]), within=1):
                its_rows += more
            groups[last] = its_rows
        return groups

    # -- asking -----------------------------------------------------------------------------------------------------

    def _from_group(self, table: Table, conditions: Sequence[Condition], after: tuple[Any, ...]) -> list[Row]:
        """The same in one question: from the beginning of the last group on, without what comes up to the key.

        Nothing comes where the group is longer than an answer, or the key is gone.
        """
        if len(table.key) == 1:
            return []
        rows = self._first(table, (*conditions, Condition(table.key[0], "ge", after[0])))
        place = next((place for place, row in enumerate(rows, 1) if key_of(table, row) == after), len(rows))
        return rows[place:]

    def _behind(
        self, table: Table, conditions: Sequence[Condition], after: tuple[Any, ...], *, within: int = 0
    ) -> list[Row]:
        """The first rows behind a key that share at least `within` of its columns.

        Put as questions without brackets and alternatives, one for each number of columns shared, the longest first.
        """
        for shared in reversed(range(within, len(table.key))):
            same = (Condition(name, "eq", value) for name, value in zip(table.key[:shared], after, strict=False))
            beyond = Condition(table.key[shared], "gt", after[shared])
            if rows := self._first(table, (*conditions, *same, beyond)):
                return rows
        return []

    def _batch(self, table: Table, values: Sequence[Value]) -> list[Value]:
        size = min(_MOST_KEYS, len(values))
        while size > 1 and not self.connection.fits(
            self._query(table, _alternatives(table, values[:size]), any_of=True)
        ):
            size //= 2
        return list(values[:size])

    def _query(self, table: Table, conditions: Sequence[Condition], *, any_of: bool = False, rows: int = 0) -> Query:
        return Query(table=table, conditions=tuple(conditions), any_of=any_of, rows=rows or self.page_size)

    def _first(
        self,
        table: Table,
        conditions: Sequence[Condition],
        *,
        any_of: bool = False,
        rows: int = 0,
        retry: RetryPolicy | None = None,
    ) -> list[Row]:
        settled = self._settled(table, retry)

        def ask(one: Table) -> list[Row]:
            return self.connection.rows(self._query(one, conditions, any_of=any_of, rows=rows), retry=retry)

        try:
            found = ask(settled)
        except ContractError as error:
            if error.reason != "refused" or settled is not table or not table.welcome:
                raise
            found = ask(self._learn(table, retry))
        self._notice_what_is_left_out(table, found)
        return found

    # -- learning ---------------------------------------------------------------------------------------------------

    def _settled(self, table: Table, retry: RetryPolicy | None) -> Table:
        """The table with the columns it really has, as far as that is known."""
        place = (table.name, table.columns)
        if place not in self._known:
            known = self.connection.known_columns(table.name, retry=retry)
            if known is None:
                return table
            self._known[place] = self._reduced(table, [name for name in table.columns if name not in known])
        return self._known[place]

    def _learn(self, table: Table, retry: RetryPolicy | None) -> Table:
        """Find the welcome columns that a question is refused for, by halving. Refused without any, it is hopeless."""

        def refused(names: Sequence[str]) -> bool:
            asked = attrs.evolve(table, welcome=tuple(names))
            try:
                self.connection.rows(self._query(asked, (), rows=1), retry=retry)
            except ContractError as error:
                if error.reason != "refused":
                    raise
                return True
            return False

        def culprits(names: Sequence[str]) -> list[str]:
            if not refused(names):
                return []
            if len(names) == 1:
                return list(names)
            half = len(names) // 2
            return culprits(names[:half]) + culprits(names[half:])

        bare = attrs.evolve(table, welcome=())
        self.connection.rows(self._query(bare, (), rows=1), retry=retry)
        reduced = self._reduced(table, culprits(table.welcome))
        self._known[table.name, table.columns] = reduced
        return reduced

    def _reduced(self, table: Table, lacking: Sequence[str]) -> Table:
        needed = [name for name in lacking if name not in table.welcome]
        if needed:
            raise ContractError(
                f"{table.name} has no {', '.join(needed)}: check custom_fields, optout_field, statuses and "
                "delta_column",
                reason="unknown_column",
            )
        if lacking:
            self.given_up[table.name] = sorted(lacking)
            log.warning(
                "syspro %s is read without %s",
                table.name,
                ", ".join(sorted(lacking)),
                extra={"mlc_system": SYSTEM, "mlc_table": table.name},
            )
        return table.without(*lacking)

    def _notice_what_is_left_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Columns that an operator may not see are left out of rows: an opt-out must not vanish that way unseen."""
        place = (table.name, table.columns)
        if not rows or place in self._seen:
            return
        self._seen.add(place)
        # The element of a date may be left out because there is no date.
        expected = (name for name in (*table.key, *table.needed) if "date" not in name.lower())
        missing = [name for name in expected if not any(name in row for row in rows)]
        if missing:
            raise PermissionDeniedError(
                f"{table.name} comes without {', '.join(missing)}: let the operator see them, and check their names",
                reason="columns_left_out",
            )


def _alternatives(table: Table, values: Iterable[Value]) -> tuple[Condition, ...]:
    return tuple(Condition(table.key[0], "eq", value) for value in values)
