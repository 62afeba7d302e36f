"""Marks, windows, and the rules by which a mark may move."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.cursors import HighWaterMark, MarkTracker, Window, decode_mark, encode_mark, next_window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMPS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
MARKS = st.one_of(STAMPS, st.dates(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.text())


def mark(value) -> HighWaterMark:
    """A mark of the customers."""
    return HighWaterMark(stream="customers", value=value)


def test_the_first_window_reads_everything():
    """Without a mark there is no lower bound; the source's present bounds the mark."""
    assert next_window(None, NOON, timedelta(minutes=5)) == Window(lower=None, upper=NOON)
    assert next_window(mark(None), NOON, timedelta(minutes=5)).is_full


def test_a_window_steps_back_by_the_overlap():
    """The lower bound lies the overlap behind the mark, in the mark's own unit."""
    assert next_window(mark(NOON), NOON, timedelta(minutes=5)).lower == NOON - timedelta(minutes=5)
    assert next_window(mark(date(2026, 3, 5)), date(2026, 3, 6), timedelta(hours=1)).lower == date(2026, 3, 4)
    assert next_window(mark(100), 200, 10).lower == 90
    assert next_window(mark("K7"), None, timedelta(0)).lower == "K7"


def test_a_mark_beyond_the_present_counts_as_the_present():
    """A clock set back does not make a window that asks for nothing."""
    ahead = mark(NOON + timedelta(days=3000))

    assert next_window(ahead, NOON, timedelta(minutes=5)).lower == NOON - timedelta(minutes=5)


def test_a_full_scan_is_full_whatever_the_mark():
    """Asked for, a window reads everything."""
    assert next_window(mark(NOON), NOON, timedelta(0), full=True).lower is None


def test_values_of_different_types_are_never_compared():
    """A stored date and a stamp of today are a clear error, not a wrong answer."""
    with pytest.raises(TypeError, match="date and datetime"):
        next_window(mark(date(2026, 3, 1)), NOON, timedelta(0))
    with pytest.raises(TypeError, match="overlap"):
        next_window(mark(7), 9, timedelta(days=1))


def test_naive_times_are_refused():
    """A mark without a time zone is a mistake."""
    with pytest.raises(ValueError, match="time zone"):
        mark(datetime(2026, 3, 1))
    with pytest.raises(ValueError, match="time zone"):
        HighWaterMark(stream="customers", full_scan_at=datetime(2026, 3, 1))


def test_marks_are_kept_in_utc():
    """The same instant in another zone is the same mark."""
    zone = timezone(timedelta(hours=-8))

    assert mark(NOON.astimezone(zone)) == mark(NOON)
    assert repr(mark(NOON)) == "<HighWaterMark customers 2026-03-01T12:00:00+00:00>"


def test_a_future_stamp_is_counted_and_does_not_move_the_mark():
    """What is dated far ahead is reported; what is just fresher than the present is not."""
    tracker = MarkTracker("customers", Window(upper=NOON))
    tracker.see([NOON - timedelta(hours=1), NOON + timedelta(minutes=1), NOON + timedelta(days=900), None])

    assert tracker.mark().value == NOON - timedelta(hours=1)
    assert tracker.future == 1


def test_a_future_date_is_always_told():
    """A date beyond today's is ahead, however little."""
    tracker = MarkTracker("orders", Window(upper=date(2026, 3, 1)))
    tracker.see([date(2026, 3, 2)])

    assert (tracker.future, tracker.mark().value) == (1, None)


def test_a_step_back_is_noticed():
    """A source that promised order and broke it is found out, with both values."""
    tracker = MarkTracker("customers", Window(upper=NOON))
    tracker.see([NOON - timedelta(hours=1), NOON - timedelta(hours=2), NOON])

    assert tracker.stepped_back == (NOON - timedelta(hours=1), NOON - timedelta(hours=2))


def test_full_scans_are_remembered():
    """A mark carries the time of the last full scan along."""
    before = HighWaterMark(stream="customers", value=NOON, full_scan_at=NOON)
    tracker = MarkTracker("customers", Window(lower=NOON, upper=NOON), before)

    assert tracker.mark().full_scan_at == NOON
    assert tracker.mark(full_scan_at=NOON + timedelta(days=1)).full_scan_at == NOON + timedelta(days=1)


@given(st.lists(STAMPS, max_size=20), STAMPS, st.none() | STAMPS)
def test_the_mark_never_steps_back_nor_passes_the_present(seen, present, before):
    """Whatever was seen, the mark stays between the earlier mark and the present."""
    earlier = mark(before) if before is not None else None
    tracker = MarkTracker("customers", next_window(earlier, present, timedelta(minutes=5)), earlier)
    tracker.see(seen)

    after = tracker.mark().value

    assert after is None or after <= present
    if before is not None and before <= present:
        assert after is not None
        assert after >= before


@given(
    st.lists(st.tuples(STAMPS, st.booleans()), min_size=1, max_size=15), st.timedeltas(timedelta(0), timedelta(days=1))
)
def test_no_record_is_ever_behind_all_windows(records, overlap):
    """A record stamped later than what a window covered is inside the next window."""
    present = max(stamp for stamp, _ in records)
    first = MarkTracker("customers", Window(upper=present))
    first.see(stamp for stamp, early in records if early)

    following = next_window(first.mark(), present, overlap)

    unseen = [stamp for stamp, early in records if not early]
    latest_seen = max((stamp for stamp, early in records if early), default=None)
    late = [stamp for stamp in unseen if latest_seen is None or stamp >= latest_seen]
    assert all(following.lower is None or stamp >= following.lower for stamp in late)


@given(MARKS)
def test_marks_survive_being_stored(value):
    """What is written down is read back as the same value of the same type."""
    again = decode_mark(*encode_mark(mark(value).value))

    assert again == mark(value).value
    assert type(again) is type(mark(value).value)


def test_a_mark_of_unknown_type_is_refused():
    """Neither written nor read."""
    assert decode_mark(*encode_mark(None)) is None
    with pytest.raises(TypeError, match="float"):
        encode_mark(1.5)
    with pytest.raises(ValueError, match="complex"):
        decode_mark("complex", "1j")
    assert encode_mark(Decimal("1.50")) == ("Decimal", "1.50")


def test_cursors_side_by_side_move_on_their_own():
    """Each part of a tuple has its own overlap, its own bound and its own maximum."""
    before = mark((date(2026, 3, 1), 100))
    window = next_window(before, (date(2026, 3, 5), None), (timedelta(days=2), 0))
    tracker = MarkTracker("orders", window, before)
    tracker.see([(date(2026, 3, 4), 90), (date(2026, 2, 1), 120), (date(2027, 1, 1), 110), (None, None)])

    assert window.lower == (date(2026, 2, 27), 100)
    assert tracker.mark().value == (date(2026, 3, 4), 120)
    assert tracker.future == 1
    assert repr(tracker.mark()) == "<HighWaterMark customers 2026-03-04 / 120>".replace("customers", "orders")


def test_a_part_that_saw_nothing_stays_open():
    """A part without values is no bound; a tuple in which nothing was seen is no mark."""
    tracker = MarkTracker("orders", Window(upper=(date(2026, 3, 5), None)))
    tracker.see([(None, 7)])
    empty = MarkTracker("orders", Window())
    empty.see([(None, None)])

    assert tracker.mark().value == (None, 7)
    assert next_window(tracker.mark(), (date(2026, 3, 5), None), (timedelta(days=1), 0)).lower == (None, 7)
    assert empty.mark().value is None


@given(st.tuples(st.none() | STAMPS, st.none() | st.integers(), st.dates()))
def test_tuples_survive_being_stored(value):
    """A mark of several parts is read back as it was."""
    assert decode_mark(*encode_mark(mark(value).value)) == mark(value).value
