"""Stamps of Sage 100: decimal hours of a wall clock, compared as numbers, and what they are in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.sources.sage100._stamps import (
    Stamp,
    day_of,
    earliest_stamp,
    modified,
    moment_of,
    stamp_at,
    stamp_of_wall,
    stamp_texts,
    wall_of,
)

CHICAGO = ZoneInfo("America/Chicago")
DAY = date(2025, 3, 4)


def stamp(hours, day=DAY):
    """A stamp on a day."""
    return Stamp(day, Decimal(hours))


def read(hours, day="20250304"):
    """The stamp of a row with this time."""
    return stamp_at({"DateUpdated": day, "TimeUpdated": hours}, "DateUpdated", "TimeUpdated")


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15.5", "55800"),
        ("8.49238", "30572.568"),
        ("17.00833", "61229.988"),
        ("09.25", "33300"),
        ("9.", "32400"),
        (".5", "1800"),
        (" 7.25\0\0", "26100"),
        ("0", "0"),
        ("", "0"),
        (None, "0"),
        ("23.99999", "86399.964"),
    ],
)
def test_hours_become_exact_seconds(text, seconds):
    """No time is rounded or cut: 17.00833 is not half a minute, but twelve milliseconds less."""
    found = read(text)

    assert Decimal(seconds) == found.hours * 3600
    assert timedelta(seconds=float(seconds)) == wall_of(found) - datetime.combine(DAY, time())


@pytest.mark.parametrize("text", ["24", "24.00000", "99", "8:30", "-1", "8,5", "1e1", "noon", "8.5.1", "٨"])
def test_what_is_no_time_is_told_from_midnight(text):
    """Such a time spoils its own record only, and the error names the column and not the value."""
    with pytest.raises(MappingError, match="TimeUpdated") as error:
        read(text)

    assert error.value.reason == "bad_time"
    assert text not in str(error.value)


@pytest.mark.parametrize("text", ["", "        ", "00000000", "\0\0", "17530101", None])
def test_blank_dates_are_no_dates(text):
    """Blanks, zeros, and the day of 1753 that Premium keeps for a blank."""
    assert day_of({"DateUpdated": text}, "DateUpdated") is None
    assert read("9.5", text) is None


@pytest.mark.parametrize("text", ["20251301", "2025030", "2025-03-04", "202503045", "20250230", "today"])
def test_what_is_no_date_is_an_error(text):
    """Eight digits that are a day of the calendar, or nothing."""
    with pytest.raises(MappingError, match="DateUpdated: not a date"):
        read("9.5", text)


def test_the_later_pair_counts():
    """A new row may have the pair of its creation only; and an import may leave the older pair behind."""
    created = {"DateCreated": "20250304", "TimeCreated": "15.5"}

    assert stamp("15.5") == modified({**created, "DateUpdated": "", "TimeUpdated": ""})
    assert stamp("15.5") == modified({**created, "DateUpdated": "20250304", "TimeUpdated": "8.49238"})
    assert stamp("15.75") == modified({**created, "DateUpdated": "20250304", "TimeUpdated": "15.75"})
    assert modified({}) is None


def test_times_are_compared_as_numbers():
    """As text half past eight would come after half past three."""
    assert stamp("8.49238") < stamp("15.5") < stamp("15.50001") < stamp("0", date(2025, 3, 5))


# -- writing --------------------------------------------------------------------------------------------------------


def test_stamps_are_written_as_sage_writes_them():
    """Eight digits, and hours without exponent or needless zeros, rounded down to five decimals."""
    assert ("20250304", "15.5") == stamp_texts(datetime(2025, 3, 4, 15, 30))
    assert ("20250304", "0") == stamp_texts(datetime(2025, 3, 4))
    assert ("20250304", "0.00001") == stamp_texts(datetime(2025, 3, 4, 0, 0, 0, 40_000))
    assert ("20250304", "23.99999") == stamp_texts(datetime(2025, 3, 4, 23, 59, 59, 999_999))
    assert "10" == stamp("10").hours_text


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2090, 1, 1)))
def test_a_wall_time_comes_back(moment):
    """What is written and read again is at most the thirty-sixth part of a second earlier, and never later."""
    day, hours = stamp_texts(moment)
    again = wall_of(read(hours, day))

    assert timedelta(0) <= moment - again < timedelta(milliseconds=37)


# -- zones ----------------------------------------------------------------------------------------------------------


def test_wall_times_become_utc():
    """By the offset of their day."""
    assert datetime(2025, 3, 4, 21, 30, tzinfo=UTC) == moment_of(stamp("15.5"), CHICAGO)
    assert datetime(2025, 7, 4, 20, 30, tzinfo=UTC) == moment_of(stamp("15.5", date(2025, 7, 4)), CHICAGO)


def test_an_hour_that_comes_twice_is_taken_for_its_first_coming():
    """So a mark made of it is an hour too early at most, and never too late."""
    night = date(2025, 11, 2)

    assert datetime(2025, 11, 2, 6, 30, tzinfo=UTC) == moment_of(stamp("1.5", night), CHICAGO)
    assert datetime(2025, 11, 2, 8, 0, tzinfo=UTC) == moment_of(stamp("2", night), CHICAGO)


def test_an_hour_that_never_comes_is_read_all_the_same():
    """Another machine's clock may not have been set forward yet."""
    assert datetime(2025, 3, 9, 8, 30, tzinfo=UTC) == moment_of(stamp("2.5", date(2025, 3, 9)), CHICAGO)


def test_the_first_coming_of_an_hour_is_asked_for_with_the_second():
    """A change in the second coming bears a lower time than one an hour before it."""
    lower = datetime(2025, 11, 2, 6, 45, tzinfo=UTC)

    assert stamp("0.75", date(2025, 11, 2)) == earliest_stamp(lower, CHICAGO)
    assert stamp("1.75", date(2025, 11, 2)) == earliest_stamp(lower + timedelta(hours=1), CHICAGO)


@given(
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)),
    st.sampled_from(["America/Chicago", "Australia/Lord_Howe", "Asia/Kolkata", "Europe/London", "America/St_Johns"]),
)
def test_no_later_change_bears_a_lower_stamp(lower, later, name):
    """Whatever the wall clock does meanwhile, a change after the lower bound is not asked away."""
    zone = ZoneInfo(name)
    change = stamp_of_wall((lower + later).astimezone(zone).replace(tzinfo=None))

    assert change >= earliest_stamp(lower, zone)
