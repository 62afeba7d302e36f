"""Tags made of templates and functions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, strategies as st

from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.mapping import MemberMapping
from mlconnector_sdk.mapping._templates import TAG_LENGTH, clean_tag, distinct_tags, tag_getter
from mlconnector_sdk.models import Address, Contact, Customer


def tags_of(template: str, **fields) -> tuple[str, ...]:
    """The tags a template makes of a customer with these fields."""
    return tag_getter(template)(Customer(**{"key": "C1", **fields}))


@pytest.mark.parametrize(
    ("template", "fields", "tag"),
    [
        ("{group}", {"group": " TRADE "}, "TRADE"),
        ("region:{raw[SalesTerritory]}", {"raw": {"SalesTerritory": "West"}}, "region:West"),
        ("{raw[Main Contact][Fax]}", {"raw": {"Main Contact": {"Fax": 12}}}, "12"),
        ("{raw.Main.Fax}", {"raw": {"Main": {"Fax": "12"}}}, "12"),
        ("{raw[Reps][1][Name]}", {"raw": {"Reps": [{"Name": "A"}, {"Name": "B"}]}}, "B"),
        ("{raw[__metadata][type]}", {"raw": {"__metadata": {"type": "ArCustomer"}}}, "ArCustomer"),
        ("{address.region}/{group}", {"address": Address(region="WA"), "group": "A"}, "WA/A"),
        ("hold:{opted_out}", {"opted_out": False}, "hold:No"),
        ("since:{last_activity}", {"last_activity": date(2026, 3, 1)}, "since:2026-03-01"),
        ("limit:{raw[Limit]}", {"raw": {"Limit": Decimal("1500.00")}}, "limit:1500.00"),
        ("{{{group}}}", {"group": "A"}, "{A}"),
        ("a {{brace}}", {}, "a {brace}"),
    ],
)
def test_a_template_is_filled_from_the_record(template, fields, tag):
    """Attributes, parts of the address, and items however deep in the raw row fill a template as plain text."""
    assert (tag,) == tags_of(template, **fields)


@pytest.mark.parametrize(
    ("template", "raw"),
    [
        ("{group}", {}),
        ("x:{raw[No]}", {}),
        ("x:{raw[Blank]}", {"Blank": "  "}),
        ("x:{raw[Null]}", {"Null": None}),
        ("x:{raw[Text][Inner]}", {"Text": "flat"}),
        ("x:{raw[List][7]}", {"List": [1]}),
        ("x:{raw[List][name]}", {"List": [1]}),
        ("x:{job_title}", {}),
    ],
)
def test_a_value_that_is_missing_or_blank_makes_no_tag(template, raw):
    """No tag rather than half of one; what another kind of record has is missing in this one."""
    assert () == tags_of(template, raw=raw)


def test_what_only_contacts_have_fills_the_tags_of_contacts():
    """One mapping may serve several kinds of record."""
    assert ("Buyer",) == tag_getter("{job_title}")(Contact(key="1", job_title="Buyer"))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{regoin}", "no record field 'regoin'"),
        ("{}", "no record field ''"),
        ("{0}", "no record field '0'"),
        ("{raw}", "raw[Name]"),
        ("{raw[]}", "no record field 'raw[]'"),
        ("{raw.__class__}", "'raw.__class__' cannot exist"),
        ("{raw.Inner._private}", "cannot exist"),
        ("{__class__}", "no record field"),
        ("{group.__class__.__mro__}", "'group.__class__.__mro__' cannot exist; write group"),
        ("{name[0]}", "write name"),
        ("{address}", "address.city"),
        ("{address.street}", "address.line1"),
        ("{address.city.upper}", "address.city"),
        ("{group!r}", "use a function"),
        ("{group:>900000000}", "use a function"),
        ("{group", "write {{ for a brace"),
        ("group}", "write {{ for a brace"),
        (" \t", "must not be blank"),
    ],
)
def test_a_template_that_cannot_work_is_told_when_the_mapping_is_made(template, said):
    """The message names the template, the field, and what may be written instead."""
    with pytest.raises(ConfigurationError) as caught:
        MemberMapping(tags=["ERP", template])

    assert said in str(caught.value)
    assert repr(template) in str(caught.value) or "blank" in said


def test_one_text_is_no_list_of_tags():
    """A forgotten pair of brackets would make a tag of each letter."""
    with pytest.raises(ConfigurationError, match="a list of tags"):
        MemberMapping(tags="ERP")


def test_a_value_that_is_no_text_concerns_its_record_only():
    """A whole row cannot be a tag: the message names template, field and type, never the value."""
    with pytest.raises(MappingError, match=r"'x:\{raw\[Inner\]\}': raw\[Inner\] is of type dict") as caught:
        tags_of("x:{raw[Inner]}", raw={"Inner": {"secret": 1}})

    assert ("tag_type", False) == (caught.value.reason, "secret" in str(caught.value))


def endless(record):
    """A mapping function that fails while it is read."""
    yield "fine"
    raise KeyError("a secret")


@pytest.mark.parametrize("function", [endless, lambda c: [1], lambda c: c.raw["x"], lambda c: 7])
def test_a_function_that_fails_while_its_tags_are_read_concerns_its_record_only(function):
    """Generators that raise, and things that are no texts, are mapping errors without their content."""
    with pytest.raises(MappingError) as caught:
        tag_getter(function)(Customer(key="C1"))

    assert ("mapping_failed", False) == (caught.value.reason, "secret" in str(caught.value))


def test_functions_give_one_tag_several_or_none():
    """Texts are cleaned like all tags, blank ones are none."""
    found = [tag_getter(lambda c, given=given: given)(Customer(key="C1")) for given in (None, " A ", ["A", " ", "B "])]

    assert [(), ("A",), ("A", "B")] == found


def test_tags_are_cleaned_and_cut():
    """No control characters, single blanks, a hundred characters at the most, no accent parted from its letter."""
    assert "a b c" == clean_tag(" a\t\tb\x00\nc ")
    assert "x" * TAG_LENGTH == clean_tag("x" * 300)
    assert "y" * (TAG_LENGTH - 1) == clean_tag("y" * (TAG_LENGTH - 1) + "e\u0301")
    assert "\u6771" * TAG_LENGTH == clean_tag("\u6771" * 101)


def test_tags_are_told_apart_without_regard_to_case():
    """The first spelling stays, as in Mailchimp."""
    assert ("West", "east") == distinct_tags(["West", "WEST", "east", "west"])


NAMES = st.sampled_from(
    ["group", "raw", "raw[A]", "address.city", "__class__", "key", "raw.__init__", "a", "raw[A][0]"]
)
PIECES = NAMES.map("{{{}}}".format) | st.text("{}[].!:_ab0 ", max_size=6) | st.text(max_size=3)


@given(st.lists(PIECES, max_size=5).map("".join), st.text() | st.none() | st.lists(st.text()) | st.integers())
@example("{raw[A]}", "\ud800")
def test_whatever_is_written_a_template_gives_clean_tags_or_our_errors(template, value):
    """No template reaches anything but text, and none fails with an error of somebody else."""
    try:
        getter = tag_getter(template)
        tags = getter(Customer(key="C1", group="G", raw={"A": value}, address=Address(city="Lyon")))
    except (ConfigurationError, MappingError):
        return

    assert len(tags) <= 1
    for tag in tags:
        assert tag == clean_tag(tag) != ""
        assert "<class" not in tag or "<class" in template or "<class" in str(value)
