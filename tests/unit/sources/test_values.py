"""Vendor values, read the same way for every ERP."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources._settings import opt_outs, own_fields
from mlconnector_sdk.sources._values import (
    address_in,
    amount_in,
    day_in,
    flag_in,
    key_in,
    number_in,
    part_in,
    parts_in,
    speaks_against,
    text_in,
    untouched_in,
    value_at,
)

ROW_VALUES = st.none() | st.booleans() | st.integers() | st.decimals() | st.text() | st.lists(st.integers(), max_size=1)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, ""), ("", ""), ("  ", ""), (" A1  ", "A1"), (7, "7"), (Decimal("1.50"), "1.50")]
)
def test_text_loses_its_padding(value, expected):
    """Columns are padded to their width; numbers read as text."""
    assert expected == text_in({"Name": value}, "Name")


def test_a_key_is_never_empty():
    """A key is text or a whole number; without one the row cannot be read."""
    values = (" C1 ", 1793, Decimal("1793.0"))

    assert ["C1", "1793", "1793"] == [key_in({"Key": value}, "Key") for value in values]
    for value in (None, "", "  ", True, 1.5, ["C1"], Decimal("1.5"), Decimal("1E+99"), Decimal("NaN")):
        with pytest.raises(MappingError, match="Key: missing") as refused:
            key_in({"Key": value}, "Key")
        assert "no_key" == refused.value.reason


def test_untouched_text_keeps_its_padding():
    """An address comes as somebody typed it."""
    assert " A@B.org " == untouched_in({"Email": " A@B.org "}, "Email")
    assert "" == untouched_in({}, "Email")
    with pytest.raises(MappingError, match="Email: expected text"):
        untouched_in({"Email": 5}, "Email")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "0"),
        ("", "0"),
        ("   ", "0"),
        (0, "0"),
        (12, "12"),
        (" 12.50 ", "12.50"),
        (Decimal("0.1"), "0.1"),
        ("-3", "-3"),
    ],
)
def test_amounts_are_exact_also_as_text(value, expected):
    """A number may come as number or as text; blanks are zero."""
    assert Decimal(expected) == amount_in({"Total": value}, "Total")


@pytest.mark.parametrize("value", ["12 EUR", "NaN", "Infinity", True, [1]])
def test_what_is_no_amount_is_refused(value):
    """The message names the field and not the value."""
    with pytest.raises(MappingError) as refused:
        amount_in({"Total": value}, "Total")

    assert "Total: not a number" == refused.value.message


def test_whole_numbers_come_in_several_forms():
    """An identifier is the same number as integer, decimal or text."""
    values = [1793, "1793", Decimal("1793.0"), " 1793 "]

    assert [1793] * 4 == [number_in({"Key": value}, "Key") for value in values]
    assert number_in({"Key": ""}, "Key") is None
    with pytest.raises(MappingError, match="not a whole number"):
        number_in({"Key": "1.5"}, "Key")


@pytest.mark.parametrize(
    "text", ["2024-05-06T00:00:00Z", "2024-05-06T00:00:00", "2024-05-06T00:00:00+14:00", "2024-05-06", "20240506"]
)
def test_a_date_is_no_instant(text):
    """Whatever zone stands behind it, the day stays."""
    assert date(2024, 5, 6) == day_in({"On": text}, "On")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        0,
        "0",
        "00000000",
        "0000-00-00",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1753-01-01",
        "1899-12-30T00:00:00Z",
        "1900-01-01",
    ],
)
def test_zero_dates_are_no_dates(value):
    """What stands in columns that cannot be null means: no date."""
    assert day_in({"On": value}, "On") is None


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", 20240506, ["2024-05-06"]])
def test_what_is_no_date_is_refused(value):
    """The message names the field and not the value."""
    with pytest.raises(MappingError) as refused:
        day_in({"On": value}, "On")

    assert "On: not a date" == refused.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("Yes", True),
        (" Y ", True),
        ("1", True),
        (1, True),
        ("true", True),
        (False, False),
        ("No", False),
        ("N", False),
        ("0", False),
        (0, False),
        ("", False),
        (" ", False),
        (None, None),
    ],
)
def test_flags_come_in_many_forms(value, expected):
    """Booleans, words, letters and digits all say yes or no; blanks are a no."""
    assert flag_in({"Hold": value}, "Hold") is expected


def test_an_unknown_flag_is_refused():
    """What is neither yes nor no must not be taken for either."""
    with pytest.raises(MappingError, match="Hold: neither yes nor no"):
        flag_in({"Hold": "maybe"}, "Hold")


def test_nested_parts_must_have_their_shape():
    """A record within a record is one, and a list of them holds nothing else; missing ones are empty."""
    row = {"Main": {"Email": "a@b.org"}, "Lines": [{"n": 1}], "Wrong": "x", "Mixed": [{"n": 1}, 2]}

    assert ({"Email": "a@b.org"}, {}) == (part_in(row, "Main"), part_in(row, "None"))
    assert ([{"n": 1}], []) == (parts_in(row, "Lines"), parts_in(row, "None"))
    with pytest.raises(MappingError, match="Wrong: expected an entity"):
        part_in(row, "Wrong")
    for name in ("Wrong", "Mixed"):
        with pytest.raises(MappingError, match=f"{name}: expected rows"):
            parts_in(row, name)
    with pytest.raises(MappingError, match="Main: expected text"):
        text_in(row, "Main")


def test_addresses_are_read_by_their_fields():
    """Six names make an address; an empty name is a part that the ERP does not have."""
    row = {"L1": " 1 Road ", "Town": "Leeds", "Zip": None}

    assert Address(line1="1 Road", city="Leeds") == address_in(row, ("L1", "", "Town", "Region", "Zip", ""))
    assert Address() == address_in(None, ("L1", "", "Town", "Region", "Zip", ""))


def test_values_are_found_below_nested_names():
    """Where a step is missing, or is no record, there is no value."""
    row = {"A": {"B": {"C": 1}}, "D": 2}

    assert [1, None, None] == [value_at(row, path) for path in (("A", "B", "C"), ("A", "X", "C"), ("D", "B"))]


@given(ROW_VALUES)
def test_reading_any_value_fails_in_one_way_only(value):
    """Whatever stands in a row, reading it gives a value or a `MappingError` that does not repeat it."""
    for read in (text_in, untouched_in, key_in, amount_in, number_in, day_in, flag_in, part_in, parts_in):
        assert complaint_of(read, value) in _COMPLAINTS


def complaint_of(read, value):
    """What is said against a value, without the field's name; nothing if it can be read."""
    try:
        read({"Field": value}, "Field")
    except MappingError as error:
        return error.message.removeprefix("Field: ")
    return ""


_COMPLAINTS = {
    "",
    "missing",
    "expected text",
    "expected rows",
    "expected an entity",
    "not a number",
    "not a whole number",
    "not a date",
    "neither yes nor no",
}


# -- settings of a site ---------------------------------------------------------------------------------------------


def by_name(field):
    """Fields are found by their plain names."""
    return lambda row: row.get(field)


@pytest.mark.parametrize(
    ("value", "opted_out"), [(None, False), ("", False), ("No", False), (0, False), ("x", True), (1, True), ("Y", True)]
)
def test_anything_but_a_clear_no_is_an_opt_out(value, opted_out):
    """In doubt nobody is mailed."""
    tests, fields = opt_outs("NOMAIL", system="erp", reader=by_name)

    assert speaks_against(value) is opted_out
    assert dict.fromkeys(("customers", "contacts", "suppliers"), opted_out) == {
        name: test({"NOMAIL": value}) for name, test in tests.items()
    }
    assert dict.fromkeys(("customers", "contacts", "suppliers"), ("NOMAIL",)) == fields


def test_streams_may_have_opt_outs_of_their_own():
    """A mapping names a field or function for each stream; the others have none."""
    tests, fields = opt_outs(
        {"customers": "NOMAIL", "contacts": lambda row: row["quiet"]}, system="erp", reader=by_name
    )

    assert {"customers": ("NOMAIL",)} == fields
    assert [True, False] == [tests["contacts"]({"quiet": quiet}) for quiet in (1, 0)]
    assert "suppliers" not in tests
    assert ({}, {}) == opt_outs(None, system="erp", reader=by_name)


def test_a_failing_opt_out_stops_its_own_record_only():
    """Whatever a caller's function raises is a `MappingError` without the error's text; one of its own passes."""

    def refuse(row):
        raise MappingError("no consent on file", reason="consent")

    tests, _ = opt_outs({"customers": lambda row: row["gone"], "contacts": refuse}, system="erp", reader=by_name)

    with pytest.raises(MappingError, match=r"the function failed \(KeyError\)"):
        tests["customers"]({})
    with pytest.raises(MappingError, match="no consent on file"):
        tests["contacts"]({})


def test_an_opt_out_field_holds_one_value():
    """A list or record under the name is a mistake that must not pass for a no."""
    tests, _ = opt_outs("Flags", system="erp", reader=by_name)

    with pytest.raises(MappingError, match="Flags: expected one value"):
        tests["customers"]({"Flags": ["a"]})


def test_wrong_streams_and_lists_are_refused_at_once():
    """A typing error in a setting is found before anything is sent."""
    with pytest.raises(ConfigurationError, match="optout_field names orders"):
        opt_outs({"orders": "X"}, system="erp", reader=by_name)
    with pytest.raises(ConfigurationError, match="custom_fields names clients"):
        own_fields({"clients": ["X"]}, system="erp")
    with pytest.raises(ConfigurationError, match="must be a list of names"):
        own_fields({"customers": "X"}, system="erp")
    assert {"customers": ("A", "B")} == own_fields({"customers": ["A", "B"]}, system="erp")
