"""Result sets of the fake Business Object Interface: expressions, filters, separators, and what ProvideX refuses."""

from __future__ import annotations

import pytest

from tests.contracts._sage100_boi import COM_ERROR, SEPARATOR, members, new_site, opened

STAMPS = 'DateCreated$+","+TimeCreated$+","+DateUpdated$+","+TimeUpdated$'


@pytest.fixture(name="site")
def _site():
    """A site with two customers, a contact and two orders."""
    return new_site()


def test_stamps_and_keys_come_in_one_pass(site):
    """The pattern of a delta poll: four stamp columns and the key, of all records or of those since a day."""
    reader = opened(site, "AR_Customer_svc")
    fresh = 'DateUpdated$>="20260301" OR DateCreated$>="20260301"'

    for condition in ("", fresh):
        code, stamps, keys = reader.nGetResultSets(STAMPS, 'ARDivisionNo$+"|"+CustomerNo$', "", "", condition, "", "")
        assert (1, ["20260301,12.25,20260301,12.25"] * 2) == (code, members(stamps))
        assert ["00|0000042", "01|ABF"] == members(keys)
    assert (1, "", "") == reader.nGetResultSets("CustomerNo$", STAMPS, "", "", 'DateUpdated$>="20260302"', "", "")


def test_numbers_go_through_str(site):
    """`STR` makes a number text, without zeros at the end."""
    _, limits, _ = opened(site, "AR_Customer_svc").nGetResultSets("STR(CreditLimit)", "CustomerNo$", "", "")

    assert ["0", "1500.5"] == members(limits)


def test_begin_and_end_bound_the_keys(site):
    """Raw keys at both ends narrow a result set, themselves included."""
    reader = opened(site, "AR_Customer_svc")

    def found(begin, end):
        return members(reader.nGetResultSets("CustomerNo$", "CustomerNo$", "", "", "", begin, end)[1])

    assert ["ABF"] == found("01", "")
    assert ["0000042"] == found("", "00")
    assert ["ABF"] == found("01ABF", "01ABF" + 17 * "\0")
    assert [] == found("000000043", "01ABE")
    orders, number = opened(new_site(), "SO_SalesOrder_svc"), "SalesOrderNo$"
    assert ["0000303"] == members(orders.nGetResultSets(number, number, "", "", "", "0000303", "0000303")[1])


def test_overlapping_keys_bring_each_record_once(site):
    """A filter that allows a division and a customer of it brings that customer once."""
    table = site.companies["ABC"].tables["AR_Customer"]
    table.put(("01", "ABC"), {})
    condition = 'ARDivisionNo$="01" OR (ARDivisionNo$="01" AND CustomerNo$="ABF") OR ARDivisionNo$="00"'

    answer = opened(site, "AR_Customer_svc").nGetResultSets("CustomerNo$", "CustomerNo$", "", "", condition, "", "")
    assert ["0000042", "ABC", "ABF"] == members(answer[1])


def test_lists_may_lack_the_last_separator(site):
    """Where lists are joined and nothing more, there is no separator at the end."""
    reader = opened(site, "AR_Customer_svc", last_separator=False)

    assert (1, f"00{SEPARATOR}01", f"0000042{SEPARATOR}ABF") == reader.nGetResultSets(
        "ARDivisionNo$", "CustomerNo$", "", "", "", "", ""
    )


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "#20"),
        ("CustomerNo", "#20"),
        ("Custumer$", "#20"),
        ("CreditLimit", "#26"),
        ("CustomerNo$+CreditLimit", "#26"),
        ("STR(CustomerNo$)", "#26"),
        ("STR(CreditLimit", "#20"),
        ("CustomerNo$ CustomerName$", "#20"),
        ("CustomerNo$+", "#20"),
        ("CustomerNo$ & CustomerName$", "#20"),
        ("'00'", "#20"),
        ('"00', "#20"),
    ],
)
def test_expressions_that_are_none_are_com_errors(site, expression, reason):
    """What ProvideX cannot run as a text is an error, and costs the session."""
    reader = opened(site, "AR_Customer_svc")

    with pytest.raises(COM_ERROR) as caught:
        reader.nGetResultSets(expression, "CustomerNo$", "", "", "", "", "")
    assert reason in caught.value.excepinfo[2]
    with pytest.raises(COM_ERROR):
        reader.nMoveFirst()


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ('CustomerNo$=="ABF"', "#20"),
        ("CustomerNo$='ABF'", "#20"),
        ('CustomerNo$ LIKE "A*"', "#20"),
        ("CustomerNo$", "#20"),
        ('CustomerNo$="ABF" AND', "#20"),
        ('(CustomerNo$="ABF"', "#20"),
        ('CustomerNo$="ABF")', "#20"),
        ('ARDivisionNo$="01" AND CustomerNo$="ABF" OR CustomerNo$="X"', "needs brackets"),
        ("CustomerNo$=42", "#26"),
        ('CreditLimit>"0"', "#26"),
        ("DateUpdated$>=20260301", "#26"),
        ('DateUpdated>="20260301"', "#20"),
        ("CreditLimit>-", "#20"),
    ],
)
def test_conditions_that_are_none_are_com_errors(site, condition, reason):
    """A filter ProvideX cannot run is an error: SQL's quotes and words, texts against numbers, open brackets."""
    with pytest.raises(COM_ERROR) as caught:
        opened(site, "AR_Customer_svc").nGetResultSets("CustomerNo$", "CustomerNo$", "", "", condition, "", "")
    assert reason in caught.value.excepinfo[2]


def test_a_name_that_is_no_column_may_be_an_unset_variable(site):
    """In programs a variable nobody set is blank or zero, so that a misspelt column says nothing."""
    reader = opened(site, "AR_Customer_svc", unset_variables=True)

    answer = reader.nGetResultSets("Custumer$", "STR(Nothing)", "", "", 'Custumer$="" AND Nothing=0', "", "")
    assert (["", ""], ["0", "0"]) == (members(answer[1]), members(answer[2]))
