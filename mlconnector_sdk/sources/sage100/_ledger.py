"""Accounts of the general ledger: tables refer to them by a surrogate, people write them in segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._values import Row, text_in
from ._api import GL_ACCOUNT, Connection

__all__ = ["ACCOUNTS", "Ledger"]

ACCOUNTS = "GL_Account"
"""Where a row keeps the accounts its columns refer to, as people write them."""

_SURROGATE_WIDTH = 9
_MOST_REMEMBERED = 20_000


class Ledger:
    """Turns the account keys in some columns into accounts; what was asked once is remembered.

    Args:
        columns: those that hold account keys. What is no key there is taken for an account and stays as it is.
    """

    def __init__(self, connection: Connection, columns: Sequence[str]) -> None:
        self._connection = connection
        self._columns = tuple(columns)
        self._accounts: dict[str, str] = {}

    def forget(self) -> None:
        """The chart of accounts may have changed."""
        self._accounts.clear()

    def add_to(self, rows: Iterable[Row]) -> None:
        """Note in each row what its columns refer to; an account that is gone is empty."""
        if not self._columns:
            return
        found = [(row, {name: text_in(row, name) for name in self._columns}) for row in rows]
        self._look_up({text for _, texts in found for text in texts.values() if _is_key(text)})
        for row, texts in found:
            row[ACCOUNTS] = {
                name: self._accounts.get(text, "") if _is_key(text) else text for name, text in texts.items()
            }

    def _look_up(self, keys: set[str]) -> None:
        if len(self._accounts) + len(keys) > _MOST_REMEMBERED:
            self.forget()
        unknown = sorted(keys - self._accounts.keys())
        if not unknown:
            return
        self._accounts |= dict.fromkeys(unknown, "")
        for rows in self._connection.of(GL_ACCOUNT, [(key,) for key in unknown]):
            for row in rows:
                self._accounts[GL_ACCOUNT.text_of(GL_ACCOUNT.key_of(row))] = _written(row)


def _is_key(text: str) -> bool:
    return len(text) == _SURROGATE_WIDTH and text.isascii() and text.isdigit()


def _written(row: Row) -> str:
    """Releases and drivers name the column differently."""
    return text_in(row, "FormattedAccount") or text_in(row, "Account") or text_in(row, "RawAccount")
