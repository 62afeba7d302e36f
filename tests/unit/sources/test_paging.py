"""Paging by offset and by cursor: single stories; the properties are in `tests/properties`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mlconnector_sdk.errors import ContractError
from mlconnector_sdk.sources._paging import cursor_pages, offset_pages


def keyed(row: tuple[int, str]) -> int:
    """A row's key."""
    return row[0]


def stamped(row: tuple[int, str]) -> str:
    """A row's change stamp."""
    return row[1]


class Script:
    """A list whose content is scripted per request; the last state stays."""

    def __init__(self, *states: list[tuple[int, str]]) -> None:
        self.states = list(states)
        self.asked: list[int] = []

    def fetch(self, offset: int, count: int) -> Sequence[tuple[int, str]]:
        self.asked.append(offset)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return state[offset : offset + count]


def rows(*keys: int) -> list[tuple[int, str]]:
    """Rows with these keys, unchanged."""
    return [(key, "a") for key in keys]


def test_vanished_row_makes_the_reader_step_back() -> None:
    """When a row before the offset vanishes, the row that slipped past the offset is still read."""
    script = Script(rows(1, 2, 3, 4, 5, 6, 7), rows(2, 3, 5, 6, 7))

    pages = list(offset_pages(script.fetch, page_size=4, key=keyed))

    assert [[1, 2, 3, 4], [5, 6], [7]] == [[key for key, _ in page] for page in pages]
    assert [0, 3, 0, 3] == script.asked


def test_list_that_shrank_below_the_offset_is_not_taken_for_its_end() -> None:
    """An empty page beyond the end of a shrunken list proves nothing: the reader goes back."""
    script = Script(rows(1, 2, 3, 4, 5), rows(4, 5))

    pages = list(offset_pages(script.fetch, page_size=4, key=keyed))

    assert {1, 2, 3, 4, 5} == {key for page in pages for key, _ in page}


def test_changed_row_is_yielded_again() -> None:
    """A row met again with a newer stamp is yielded again, with the same stamp it is not."""
    script = Script(rows(1, 2, 3), [(0, "a"), (1, "a"), (2, "a"), (3, "b"), (4, "a")])

    pages = list(offset_pages(script.fetch, page_size=3, key=keyed, stamp=stamped))

    assert [[(1, "a"), (2, "a"), (3, "a")], [(3, "b"), (4, "a")]] == pages


def test_server_that_ignores_the_offset_is_found_out() -> None:
    """A server that answers the first page for ever ends in an error instead of an endless loop."""
    with pytest.raises(ContractError, match=r"\$skip"):
        list(offset_pages(lambda offset, count: rows(1, 2, 3), page_size=3, key=keyed))


def test_server_without_order_is_found_out() -> None:
    """A server that never shows a known row again ends in an error instead of an endless loop."""
    numbers = iter(range(10_000_000))

    with pytest.raises(ContractError, match="order"):
        list(offset_pages(lambda offset, count: [(next(numbers), "a") for n in range(count)], page_size=4, key=keyed))


def test_reader_remembers_a_few_pages_only() -> None:
    """The memory of a long reading stays that of a few pages."""

    class Key(int):
        """An integer that is counted for as long as it lives."""

        alive = 0

        def __new__(cls, number):
            cls.alive += 1
            return super().__new__(cls, number)

        def __del__(self):
            Key.alive -= 1

    pages = offset_pages(
        lambda offset, count: [(Key(n), "a") for n in range(offset, min(offset + count, 5000))], page_size=50, key=keyed
    )
    most = 0
    for _ in pages:
        most = max(most, Key.alive)

    assert 50 * 8 <= most <= 50 * 10


def test_page_size_is_two_at_least() -> None:
    """A page needs room for a known row and a new one."""
    with pytest.raises(ValueError, match="page_size"):
        next(offset_pages(lambda offset, count: [], page_size=1, key=keyed))


def test_cursors_are_followed_to_the_end() -> None:
    """Each page names the next; one without rows names it too, and is no end."""
    pages = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], "c"), "c": ([], None)}
    asked: list[str | None] = []

    def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        asked.append(cursor)
        return pages[cursor]

    assert [[1, 2], [3]] == list(cursor_pages(fetch))
    assert [None, "a", "b", "c"] == asked


def test_a_cursor_that_comes_again_is_found_out() -> None:
    """A server that hands out a page for ever ends in an error instead of an endless loop."""
    following: dict[str | None, str] = {None: "a", "a": "b", "b": "a"}

    with pytest.raises(ContractError, match="second time"):
        list(cursor_pages(lambda cursor: ([1], following[cursor])))
