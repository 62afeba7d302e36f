"""What is remembered of millions of records while a sweep or a comparison reads them."""

from __future__ import annotations

import tracemalloc
from datetime import date, timedelta

from hypothesis import given, strategies as st

from mlconnector_sdk.sync._activity import _LatestDays
from mlconnector_sdk.sync._gone import SeenKeys


@given(st.lists(st.tuples(st.text(max_size=3), st.dates()), max_size=60), st.text(max_size=4))
def test_the_latest_day_of_each_key_is_known(entries, other):
    """However days come in, the latest of each key is told, and none for a key that was never met."""
    days = _LatestDays()
    expected: dict[str, date] = {}
    for key, day in entries:
        days.add(key, day)
        expected[key] = max(day, expected.get(key, day))
        assert expected[key] == days.of(key)

    assert expected == {key: days.of(key) for key in expected}
    assert expected.get(other) == days.of(other)


def test_a_record_costs_eight_bytes():
    """Forty thousand keys and days stay within a megabyte, sorted as well."""
    tracemalloc.start()
    days, keys = _LatestDays(), SeenKeys()
    for start in range(0, 40_000, 500):
        some = [f"C{number:09}" for number in range(start, start + 500)]
        keys.add(some)
        for key in some:
            days.add(key, date(2026, 3, 1) - timedelta(days=start // 500))
    before_sorting = tracemalloc.get_traced_memory()[0]
    known = (days.of("C000000000"), "C000039999" in keys, "C1" in keys)
    after_sorting = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert (date(2026, 3, 1), True, False) == known
    assert max(before_sorting, after_sorting) < 40_000 * 2 * 8 * 1.5
