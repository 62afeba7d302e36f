"""The fake Business Object Interface of Sage 100: return codes of writes, locks, rights, column lists."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import pytest

from mlconnector_sdk.testing.fakes._sage100_com_catalog import OBJECTS
from tests.contracts._sage100_boi import SEPARATOR, enter, locks, log_on, new_site, opened, process


@pytest.fixture(name="site")
def _site():
    """A site with two customers, a contact and two orders."""
    return new_site()


@pytest.fixture(name="editor")
def _editor(site):
    """The object that maintains customers."""
    return opened(site, "AR_Customer_bus")


def customers(site):
    """The customers of the first company."""
    return site.companies["ABC"].tables["AR_Customer"]


def take(editor, division="01", number="ABF"):
    """Set a key part by part."""
    assert (1, 1) == (editor.nSetKeyValue("ARDivisionNo$", division), editor.nSetKeyValue("CustomerNo$", number))
    return editor.nSetKey()


def test_an_existing_record_is_edited_and_stamped(site, editor):
    """`nSetKey` answers 1, values are set, and `nWrite` stores them with the user's stamps."""
    site.add_user("mary", "pass")
    site.users["sync"].key = "0000000009"
    site.clock.advance(minutes=15)

    assert (1, 1, 1) == (take(editor), editor.nSetValue("UDF_DO_NOT_EMAIL$", "Y"), editor.nWrite())
    row = customers(site).get(("01", "ABF"))
    assert ("Y", "Futures") == (row["UDF_DO_NOT_EMAIL"], row["CustomerName"])
    assert ("12.25", "12.5", "0000000009") == (row["TimeCreated"], row["TimeUpdated"], row["UserUpdatedKey"])
    assert (0, 0) == (editor.nSetValue("City$", "Racine"), editor.nWrite())


def test_an_unknown_key_begins_a_record_that_the_write_creates(site, editor):
    """`nSetKey` answers 2 for a key that is not there: `nClear` forgets it, `nWrite` creates it."""
    assert (2, 1) == (take(editor, number="NOBODY"), editor.nClear())
    assert 2 == len(customers(site))
    assert (2, 1) == (editor.nSetKey("01NOBODY"), editor.nWrite())
    assert "A" == customers(site).get(("01", "NOBODY"))["CustomerStatus"]


def test_a_key_needs_all_its_parts(editor):
    """Without a part of the key, or with a column that is none, nothing is taken."""
    editor.nSetKeyValue("CustomerNo$", "ABF")

    assert 0 == editor.nSetKey()
    assert (0, 0, 0) == (
        editor.nSetKeyValue("CustomerName$", "Futures"),
        editor.nSetKeyValue("CustomerNo", "ABF"),
        editor.nSetKeyValue("CustomerNo$", 42),
    )
    # Parts that were said once are not remembered for the next key.
    assert 0 == editor.nSetKey("00")
    assert 1 == editor.nSetKey("01ABF" + 17 * "\0")


def test_a_record_in_hand_is_locked_for_others_and_open_to_readers(site, editor):
    """A second `nSetKey` answers 0 with a message until the record is let go; reading goes on."""
    script = process(site)
    session = log_on(script)
    other, reader = (script.NewObject(f"AR_Customer_{kind}", session) for kind in ("bus", "svc"))
    assert (1, 0) == (take(editor), take(other))
    assert "in use" in other.sLastErrorMsg
    assert (1, 1, 1) == (reader.nFind("01ABF"), other.nFind("01ABF"), reader.nMoveFirst())

    for let_go in (editor.nWrite, editor.nClear, editor.nMoveFirst, lambda: editor.nFind("000000042")):
        assert (1, 0) == (editor.nSetKey("01ABF"), other.nSetKey("01ABF"))
        let_go()
        assert (1, 1) == (other.nSetKey("01ABF"), other.nClear())
    assert (1, 1, 1) == (editor.nSetKey("01ABF"), editor.nSetKey("000000042"), other.nSetKey("01ABF"))


def test_a_record_that_is_begun_is_locked_as_well(site, editor):
    """Two cannot begin the same new record."""
    other = opened(site, "AR_Customer_bus")

    assert (2, 0) == (take(editor, number="NEW"), take(other, number="NEW"))
    assert (1, 1) == (editor.nWrite(), take(other, number="NEW"))


def test_a_user_at_a_screen_holds_a_record_too(site, editor):
    """A record somebody has open in Sage 100 cannot be taken."""
    company = site.companies["ABC"]
    company.lock("AR_Customer", ("01", "ABF"), by="MARY")

    assert 0 == take(editor)
    assert (0, 0) == (editor.nSetValue("City$", "Racine"), editor.nWrite())
    company.unlock("AR_Customer", ("01", "ABF"))
    assert 1 == take(editor)


def test_dropping_the_object_lets_the_record_go(site):
    """Nobody has to clear: a record comes free with the object that took it."""
    editor = opened(site, "AR_Customer_bus")
    take(editor)
    assert {("AR_Customer", ("01", "ABF"))} == locks(site)

    del editor
    gc.collect()
    assert set() == locks(site)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("CustomerName$", 51 * "x", "greater than 50 character"),
        ("CreditHold$", "X", "failed validation on Y,N"),
        ("UDF_DO_NOT_EMAIL$", "yes", "greater than 1 character"),
        ("CustomerNo$", "XYZ", "part of the key"),
        ("DateUpdated$", "20260301", "read only"),
        ("TimeUpdated$", "9.5", "read only"),
        ("CurrentBalance", 1, "read only"),
        ("DateEstablished$", "03/01/2026", "not a valid date"),
        ("CustomerName$", 42, "not a text"),
        ("CreditLimit", "much", "not a number"),
        ("CreditLimit", float("inf"), "not a number"),
        ("CreditLimit", 10**12, "too large"),
        ("ZipCode$", "00000", "not on file"),
        ("CustomerName", "x", "not in the table"),
        ("CreditLimit$", "5", "not in the table"),
        ("UDF_NOTHING$", "Y", "not in the table"),
    ],
)
def test_values_that_are_not_taken_are_0_with_a_reason(site, editor, column, value, reason):
    """What a column does not take changes nothing, and the message says why."""
    before = dict(customers(site).get(("01", "ABF")))
    take(editor)

    assert 0 == editor.nSetValue(column, value)
    assert reason in editor.sLastErrorMsg
    editor.nWrite()
    after = customers(site).get(("01", "ABF"))
    assert before == {name: after[name] for name in before}


def test_values_are_kept_as_the_file_keeps_them(site, editor):
    """Numbers have the column's decimals, blank dates are blank, and letters beyond the code page are lost."""
    take(editor)
    for column, value in (("CreditLimit", 12.345), ("DateEstablished$", ""), ("City$", "Łódź")):
        assert 1 == editor.nSetValue(column, value)

    assert (1, 12.34) == editor.nGetValue("CreditLimit", 0)
    assert (1, "?ód?") == editor.nGetValue("City$", "")
    assert "Racine" == customers(site).get(("01", "ABF"))["City"]


def test_a_warning_is_minus_one_and_the_work_is_done(site):
    """`nSetValue` and `nWrite` may answer -1: done, with a message."""
    script = process(site)
    editor = script.NewObject("AR_Customer_bus", log_on(script))
    for method in ("nSetValue", "nWrite"):
        script.warn(method, f"{method} warns.")
    take(editor)

    assert (-1, "nSetValue warns.") == (editor.nSetValue("City$", "Kenosha"), editor.sLastErrorMsg)
    assert (-1, "nWrite warns.") == (editor.nWrite(), editor.sLastErrorMsg)
    assert "Kenosha" == customers(site).get(("01", "ABF"))["City"]


def test_a_refusal_is_0_and_nothing_is_done(site):
    """A call may be refused with any message; by-reference outputs are blank then."""
    script = process(site)
    session = log_on(script)
    editor = script.NewObject("AR_Customer_bus", session)
    script.refuse("nWrite", "The terminal is busy.", times=2)
    script.refuse("nGetResultSets", "No.")
    script.refuse("NewObject", "No more.")
    take(editor)
    editor.nSetValue("City$", "Kenosha")

    assert [0, 0] == [editor.nWrite(), editor.nWrite()]
    assert "The terminal is busy." == editor.sLastErrorMsg
    assert "Racine" == customers(site).get(("01", "ABF"))["City"]
    assert 1 == editor.nWrite()
    assert (0, "", "") == editor.nGetResultSets("CustomerNo$", "CustomerNo$", "", "", "", "", "")
    assert (None, "No more.") == (script.NewObject("AR_Customer_svc", session), session.sLastErrorMsg)


def test_deleting_takes_the_record_first(site, editor):
    """`nDelete` removes the record in hand, and nothing that is new or not taken."""
    assert 0 == editor.nDelete()
    assert (2, 0) == (editor.nSetKey("01NEW"), editor.nDelete())
    assert (1, 1, 2) == (take(editor), editor.nDelete(), take(editor))
    assert 1 == len(customers(site))


def test_rights_are_asked_for_when_they_are_used(site, editor):
    """Who may only view can read and take, but not write, begin or delete."""
    site.users["sync"].deny("AR_Customer_ui", "Create", "Modify", "Remove")

    assert (1, 1, 0) == (take(editor), editor.nSetValue("City$", "Kenosha"), editor.nWrite())
    assert "not authorized" in editor.sLastErrorMsg
    assert (0, 0) == (editor.nDelete(), take(editor, number="NEW"))
    assert {"Racine"} == {row["City"] for row in customers(site).in_order()}
    assert set() == locks(site)
    site.users["sync"].allow("AR_Customer_ui", "Create")
    assert (2, 1) == (take(editor, number="NEW"), editor.nWrite())


def test_next_numbers_are_used_up(site, editor):
    """Asking for the next number consumes it, whether a record follows or not."""
    numbers = [editor.nGetNextCustomerNo("") for _ in range(2)]

    assert [(1, "0000001"), (1, "0000002")] == numbers
    assert (1, "0000001") == opened(site, "SO_SalesOrder_bus").nGetNextSalesOrderNo("")


def test_lines_are_added_to_an_order_in_hand(site):
    """`nAddLine` answers 2 on an order in hand; the item comes first; the order's write stores the lines."""
    orders = opened(site, "SO_SalesOrder_bus")
    lines = orders.oLines
    assert (0, 0, 0) == (lines.nAddLine(), lines.nSetValue("ItemCode$", "A"), lines.nWrite())
    assert 1 == orders.nSetKey("0000304")

    for item in ("A", "B"):
        assert (2, 0) == (lines.nAddLine(), lines.nSetValue("QuantityOrdered", 2))
        assert (1, 1, 1) == (lines.nSetValue("ItemCode$", item), lines.nSetValue("QuantityOrdered", 2), lines.nWrite())
    table = site.companies["ABC"].tables["SO_SalesOrderDetail"]
    assert 4 == len(table)
    assert 1 == orders.nWrite()
    assert [("000003", "A"), ("000004", "B")] == [
        (row["LineKey"], row["ItemCode"]) for row in table.starting_with("0000304")[2:]
    ]


def test_each_session_writes_into_its_own_company(site):
    """The same key in two companies is two records."""
    script = process(site)
    other = script.NewObject("AR_Customer_bus", log_on(script, company="TST"))

    assert (2, 1, 1) == (take(other), other.nSetValue("City$", "Elsewhere"), other.nWrite())
    assert "Racine" == customers(site).get(("01", "ABF"))["City"]


def test_one_session_goes_from_program_to_program(site):
    """An object stays what it is when the session moves on to another module."""
    script = process(site)
    session = log_on(script)
    editor = script.NewObject("AR_Customer_bus", session)
    enter(session, "A/P", "AP_Vendor_ui")
    vendors = script.NewObject("AP_Vendor_bus", session)

    assert (2, 1, 1) == (vendors.nSetKey("00BAY"), vendors.nSetValue("VendorName$", "Bay Pottery"), vendors.nWrite())
    assert 1 == take(editor)


@pytest.mark.skipif("MLCONNECTOR_SPECS" not in os.environ, reason="the vendor's column lists are not on this machine")
@pytest.mark.parametrize(
    "name", [name for name, entry in OBJECTS.items() if entry.table not in {"AP_Vendor", "GL_Account", "SY_Company"}]
)
def test_columns_are_those_of_the_vendors_tables(site, name):
    """Every column an object lists is the vendor's, a dollar sign where it is no number; so are the key columns."""
    path = Path(os.environ["MLCONNECTOR_SPECS"], "sage100", "tables_fields.json")
    layout = json.loads(path.read_text(encoding="utf-8"))["tables"][OBJECTS[name].table]
    found = opened(site, name)
    named = {field["name"] + ("" if field["type"] == "decimal" else "$") for field in layout["fields"]}

    columns = found.sGetColumns(found.sGetDataSources()).split(SEPARATOR)
    assert {"UDF_DO_NOT_EMAIL$"} >= set(columns) - named
    assert [f"{part}$" for part in layout["primary_key"]] == found.sGetKeyColumns().split(SEPARATOR)
