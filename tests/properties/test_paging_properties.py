"""Paging over a table that changes between two requests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from mlconnector_sdk.errors import ContractError
from mlconnector_sdk.sources._paging import keyset_pages, offset_pages

CHANGES = st.lists(
    st.lists(st.tuples(st.sampled_from(["insert", "delete", "modify"]), st.integers(0, 60)), max_size=25), max_size=30
)


class Table:
    """Rows by key in key order; the next batch of changes strikes before each request after the first."""

    def __init__(self, keys: set[int], batches: list[list[tuple[str, int]]]) -> None:
        self.rows = dict.fromkeys(keys, 0)
        self.lasting = set(keys)
        self.batches = list(batches)
        self.requests = 0
        self.final: dict[int, int] = {}

    def fetch(self, offset: int, count: int) -> list[tuple[int, int]]:
        self.pass_time()
        return sorted(self.rows.items())[offset : offset + count]

    def behind(self, after: int | None, count: int) -> list[tuple[int, int]]:
        self.pass_time()
        return [row for row in sorted(self.rows.items()) if after is None or row[0] > after][:count]

    def pass_time(self) -> None:
        if self.requests and self.batches:
            for change, key in self.batches.pop(0):
                self.apply(change, key)
        self.requests += 1

    def apply(self, change: str, key: int) -> None:
        if change == "insert":
            self.rows.setdefault(key, 0)
        elif change == "delete":
            self.rows.pop(key, None)
            self.lasting.discard(key)
        elif key in self.rows:
            self.rows[key] += 1


@settings(max_examples=400, deadline=None)
@given(keys=st.sets(st.integers(0, 60)), batches=CHANGES, page_size=st.integers(2, 7))
def test_lasting_rows_are_never_lost(keys: set[int], batches: list[list[tuple[str, int]]], page_size: int) -> None:
    """Whatever appears, changes and vanishes between pages, a row that is there throughout is read."""
    table = Table(keys, batches)

    pages = list(offset_pages(table.fetch, page_size=page_size, key=lambda row: row[0], stamp=lambda row: row[1]))

    assert set() == table.lasting - {key for page in pages for key, _ in page}
    assert all(0 < len(page) <= page_size for page in pages)


@settings(max_examples=200, deadline=None)
@given(keys=st.sets(st.integers(0, 60)), batches=CHANGES, page_size=st.integers(2, 7))
def test_a_row_comes_again_only_when_it_changed(
    keys: set[int], batches: list[list[tuple[str, int]]], page_size: int
) -> None:
    """Within the memory of the reader no row is yielded twice with the same stamp."""
    kept = [[change for change in batch if change[0] != "delete"] for batch in batches]
    table = Table(keys, kept)

    pages = offset_pages(table.fetch, page_size=page_size, key=lambda row: row[0], stamp=lambda row: row[1])
    seen = [row for page in pages for row in page]

    recent = page_size * 8
    for place, row in enumerate(seen):
        assert row not in seen[max(0, place - recent) : place]


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 200), page_size=st.integers(2, 40))
def test_quiet_list_comes_in_order_without_repeats(count: int, page_size: int) -> None:
    """Without changes each row comes once and in order, and the overlap costs few requests."""
    table = Table(set(range(count)), [])

    pages = offset_pages(table.fetch, page_size=page_size, key=lambda row: row[0])

    assert list(range(count)) == [key for page in pages for key, _ in page]
    overlap = max(1, min(8, page_size // 10))
    assert table.requests <= count // (page_size - overlap) + 1


@settings(max_examples=400, deadline=None)
@given(keys=st.sets(st.integers(0, 60)), batches=CHANGES, caps=st.lists(st.integers(1, 7), min_size=1, max_size=70))
def test_keyset_loses_and_repeats_nothing_under_any_page_cap(
    keys: set[int], batches: list[list[tuple[str, int]]], caps: list[int]
) -> None:
    """Whatever changes between pages and however short the server cuts them, lasting rows come, and no key twice."""
    table = Table(keys, batches)

    pages = list(
        keyset_pages(lambda after: table.behind(after, caps[table.requests % len(caps)]), key=lambda row: row[0])
    )

    seen = [key for page in pages for key, _ in page]
    assert set() == table.lasting - set(seen)
    assert sorted(set(seen)) == seen


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 200), cap=st.integers(1, 40))
def test_keyset_asks_once_more_than_there_are_pages(count: int, cap: int) -> None:
    """A quiet table costs one request for each page and one that comes back empty."""
    table = Table(set(range(count)), [])

    pages = keyset_pages(lambda after: table.behind(after, cap), key=lambda row: row[0])

    assert list(range(count)) == [key for page in pages for key, _ in page]
    assert table.requests == -(-count // cap) + 1


@settings(max_examples=100, deadline=None)
@given(circle=st.integers(1, 60), lead=st.integers(0, 20), cap=st.integers(1, 4))
def test_keyset_leaves_a_circle_of_any_length(circle: int, lead: int, cap: int) -> None:
    """A server that comes round to rows it gave before is found out, however long its way round is."""
    keys = iter([*range(-lead, 0), *itertools.islice(itertools.cycle(range(circle)), lead + 8 * (circle + cap))])

    with pytest.raises(ContractError, match="circles"):
        list(keyset_pages(lambda _: [(key,) for key in itertools.islice(keys, cap)], key=lambda row: row[0]))
