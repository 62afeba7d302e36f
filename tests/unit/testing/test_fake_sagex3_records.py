"""Rows, stamps and documents of the fake Sage X3, and what its X3 team publishes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.testing._sagex3_asking import NOW, address, asking, client, keys, rows


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(NOW)


@pytest.fixture(name="erp")
def _erp(clock):
    """A site without records."""
    with FakeSageX3(clock=clock) as fake:
        yield fake


@pytest.fixture(name="api")
def _api(erp):
    """Asks the site as its user."""
    with client(erp) as http:
        yield asking(http)


def stamps(erp, key):
    """The last change of the four rows of a customer."""
    contact = erp.customers[key]["CNTNAM"]
    places = {
        "BPCUSTOMER": key,
        "BPARTNER": key,
        "BPADDRESS": (1, key, "A01"),
        "CONTACT": (1, key, contact),
        "CONTACTCRM": contact,
    }
    return {table: erp.table(table)[place]["UPDDATTIM"] for table, place in places.items()}


@pytest.mark.parametrize(
    ("table", "place", "field"),
    [
        ("BPCUSTOMER", "0001", {"BPCNAM": "New"}),
        ("BPARTNER", "0001", {"BPRFBDMAG": 2}),
        ("BPADDRESS", (1, "0001", "A01"), {"WEB": "new@x.com"}),
        ("CONTACT", (1, "0001", "C000001"), {"WEB": "new@x.com"}),
        ("CONTACTCRM", "C000001", {"CNTWEB": "new@x.com"}),
    ],
)
def test_saving_moves_the_stamps_of_one_row(erp, clock, table, place, field):
    """Editing an address, a contact or the header moves that row's stamps and no other's."""
    erp.add_customer("0001")
    clock.advance(minutes=5)

    erp.edit(table, place, **field)

    assert {table} == {name for name, moment in stamps(erp, "0001").items() if moment == clock()}
    assert 2 == erp.table(table)[place]["UPDTICK"]


def test_raw_sql_moves_the_tick_alone(erp, clock):
    """An import past X3's programs counts the trigger's column up, and no stamp."""
    erp.add_customer("0001")
    clock.advance(minutes=5)

    erp.edit("BPCUSTOMER", "0001", stamp=False, BPCNAM="Imported")
    erp.customers["0001"]["BPCSTA"] = 1

    row = erp.customers["0001"]
    assert (NOW, 3, "Imported", 1) == (row["UPDDATTIM"], row["UPDTICK"], row["BPCNAM"], row["BPCSTA"])


def test_rows_changed_in_place_are_noticed(erp, api):
    """However a row or a table is changed, the next list shows it."""
    for key in ("0001", "0002", "0003", "0004", "0005"):
        erp.add_customer(key)

    def names():
        return [row["BPCNAM"] for row in rows(api("/BPCUSTOMER", representation="BPCUSTOMER.$query"))]

    assert ["Harbor Pumps"] * 5 == names()
    erp.customers["0001"] |= {"BPCNAM": "One"}
    erp.customers["0002"].update(BPCNAM="Two")
    del erp.customers["0003"]["BPCNAM"]
    erp.customers["0003"].setdefault("BPCNAM", "Three")
    erp.customers["0003"].setdefault("BPCNAM", "Drei")
    erp.customers["0004"].pop("BPCNAM")
    erp.customers.pop("0005")
    assert ["One", "Two", "Three", ""] == names()
    erp.customers["0000"] = {"BPCNUM": "0000", "BPCNAM": "Zero"}
    assert ["Zero", "One", "Two", "Three", ""] == names()
    erp.customers["0001"].clear()
    del erp.customers["0002"]
    assert ["Zero", "", "Three", ""] == names()
    erp.customers.clear()
    assert [] == names()


def test_a_blank_is_what_a_field_holds_before_it_is_filled_in(erp):
    """Texts and menus are never null; days are."""
    row = erp.customers[erp.add_customer()]

    assert ("", 0, 0, None, ("", "")) == tuple(row[x] for x in ("BCGCOD", "COMCAT", "OSTAUZ", "ORDFIRDAT", "REP"))
    with pytest.raises(KeyError, match="no column"):
        row["NOSUCH"]


def test_a_key_may_be_changed(erp):
    """A renamed record is found under its new key only."""
    erp.add_customer("0001")

    erp.edit("BPCUSTOMER", "0001", BPCNUM="9001")

    assert ["9001"] == list(erp.customers)


def test_numbers_are_never_given_twice(erp):
    """The next free code skips those that were given by hand."""
    erp.add_customer("000003")

    assert ["000002", "000004"] == [erp.add_customer(), erp.add_customer()]


def test_what_was_worked_out_is_kept_until_a_change(erp):
    """Sorting a large table is done once between changes, and old results are let go."""
    site, calls = erp.site, []
    for number in range(300):
        site.cached(("test", number), lambda: calls.append(1))
    site.cached(("test", 299), lambda: calls.append(1))
    assert 300 == len(calls)

    erp.add_customer()
    site.cached(("test", 299), lambda: calls.append(1))

    assert 301 == len(calls)


def test_days_are_the_servers_and_moments_are_utc(clock):
    """Late in the evening in Paris the day of a stamp is not yet the day of UTC, and the other way round."""
    clock.advance(hours=11, minutes=30)
    with FakeSageX3(clock=clock, zone="Europe/Paris") as erp:
        row = erp.customers[erp.add_customer()]

    assert (date(2026, 3, 2), datetime(2026, 3, 1, 23, 30, tzinfo=UTC)) == (row["UPDDAT"], row["UPDDATTIM"])


def test_saving_a_line_saves_its_document(erp, clock):
    """A changed line moves the stamps of the header, for an invoice of both headers."""
    erp.add_customer("0001")
    order = erp.add_order("0001", [("BIK001", "City bike", 1, 10)])
    invoice = erp.add_invoice("0001", [("BIK001", "City bike", 1, 10)], order=order)
    clock.advance(minutes=5)

    erp.edit("SORDERQ", (order, 1000, 1), QTY=3)
    erp.edit("SINVOICED", (invoice, 1000), QTY=3)

    moments = [erp.table(name)[key]["UPDDATTIM"] for name, key in (("SORDER", order), ("SINVOICEV", invoice))]
    assert [clock(), clock(), clock()] == [*moments, erp.table("SINVOICE")[invoice]["UPDDATTIM"]]


def test_saving_one_header_of_an_invoice_saves_both(erp, clock):
    """An invoice has a row in two tables, which one screen writes."""
    erp.add_customer("0001")
    invoice = erp.add_invoice("0001")
    clock.advance(minutes=5)

    erp.edit("SINVOICEV", invoice, INVREF="Call before delivery")

    assert clock() == erp.table("SINVOICE")[invoice]["UPDDATTIM"]


def test_a_line_may_have_lost_its_document(erp):
    """A line whose header is gone can still be written."""
    erp.site.put("SINVOICED", {"NUM": "INV1", "SIDLIN": 1000})

    erp.edit("SINVOICED", ("INV1", 1000), QTY=3)

    assert 3 == erp.table("SINVOICED")["INV1", 1000]["QTY"]


def test_a_deleted_document_leaves_nothing_behind(erp):
    """Deleting an order or invoice takes its lines and its twin along."""
    erp.add_customer("0001")
    order = erp.add_order("0001", [("BIK001", "City bike", 1, 10), ("PUMP", "Pump", 1, 5)])
    invoice = erp.add_invoice("0001", [("BIK001", "City bike", 1, 10)])

    erp.delete("SORDER", order)
    erp.delete("SINVOICEV", invoice)

    assert [0] * 6 == [len(erp.table(name)) for name in ("SORDER", "SORDERP", "SORDERQ", "SINVOICE", "SINVOICEV",
                                                        "SINVOICED")]  # fmt: skip


def test_a_credit_note_is_told_by_its_sign(erp, api):
    """Credit notes share the table with invoices: their amounts are positive and their sign is -1."""
    erp.add_customer("0001")
    invoice = erp.add_invoice("0001", [("BIK001", "City bike", 2, "620.25")], tax="248.10")
    note = erp.add_credit_note("0001", [("BIK001", "City bike", 1, "620.25")], posted=False)

    found = {row["NUM"]: row for row in rows(api("/SINVOICEV", representation="YMCSIV.$query"))}

    assert (1, 1, 1240.5, 1488.6, 3) == tuple(
        found[invoice][x] for x in ("SNS", "INVTYP", "INVNOT", "INVATI", "INVSTA")
    )
    assert (-1, 2, 620.25, 1) == tuple(found[note][x] for x in ("SNS", "INVTYP", "INVNOT", "INVSTA"))


def test_lines_are_shown_where_the_site_shows_them(erp, api):
    """Details of an invoice have its lines under the site's name; lists do if their representation does."""
    erp.add_customer("0001")
    number = erp.add_invoice("0001", [("BIK001", "City bike", 2, "620.25")], tax="248.10")
    erp.add_representation("YSIVL", "SINVOICEV", "NUM UPDDATTIM", lines=True)
    erp.add_representation("YSID", "YSID", "NUM SIDLIN ITMREF QTY header.INVDAT", table="SINVOICED")
    erp.api1.looks.line_names["SINVOICEV"] = "SIVSID"

    record = api(f"/SINVOICEV('{number}')", representation="SINVOICEV.$details").json()

    line = {
        "ITMREF": "BIK001",
        "QTY": 2,
        "NETPRI": 620.25,
        "NETPRIATI": 744.3,
        "AMTNOTLIN": 1240.5,
        "AMTATILIN": 1488.6,
    }
    assert line.items() <= record["SIVSID"][0].items()
    assert [record["SIVSID"]] == [row["SIVSID"] for row in rows(api("/SINVOICEV", representation="YSIVL.$query"))]
    assert "SIVSID" not in rows(api("/SINVOICEV", representation="YMCSIV.$query"))[0]
    assert [f"{number}~1000"] == keys(api("/YSID", representation="YSID.$query"))


def test_documents_need_no_customer(erp, api):
    """A document of somebody who is gone, or who has no address, is saved with blanks."""
    erp.add_customer("0001", last=None)
    erp.delete("BPADDRESS", (1, "0001", "A01"))
    line = {"ITMREF": "X", "QTY": 3, "NETPRI": "1.10", "SOPLIN": 5000}

    gone, bare = erp.add_order("9999", [line]), erp.add_invoice("0001")

    order = api(f"/SORDER('{gone}')", representation="SORDER.$details").json()
    assert ("EUR", "", 3.3, 5000) == (order["CUR"], order["BPCCTY"], order["ORDNOT"], order["SOHSOP"][0]["SOPLIN"])
    assert ("", 0) == (erp.invoices[bare]["BPICTY"], erp.invoices[bare]["INVATI"])


def test_an_order_without_its_quantities_shows_its_prices(erp, api):
    """Rows of the two line tables are joined by their number; one that lacks the other stands alone."""
    erp.add_customer("0001")
    number = erp.add_order("0001", [("BIK001", "City bike", 1, 10)])
    erp.delete("SORDERQ", (number, 1000, 1))

    lines = api(f"/SORDER('{number}')", representation="SORDER.$details").json()["SOHSOP"]

    assert [(10, False)] == [(line["NETPRI"], "QTY" in line) for line in lines]


def test_a_custom_class_names_its_table(erp):
    """A class that nobody made cannot have a representation."""
    with pytest.raises(ValueError, match="no class YNONE"):
        erp.add_representation("YNONE", "YNONE", "NUM")


def test_a_partner_may_be_customer_and_supplier(erp):
    """One code, one header, one address: two roles."""
    erp.add_customer("0001", email="a@x.com")
    erp.add_supplier("0001")

    assert (2, 2) == (erp.partners["0001"]["BPCFLG"], erp.partners["0001"]["BPSFLG"])
    assert 1 == len(erp.addresses)
    assert erp.customers["0001"]["CNTNAM"] == erp.suppliers["0001"]["CNTNAM"]


def test_a_person_may_be_contact_of_several_partners(erp, clock):
    """The person is one row, the links are several; the default contact is written on the partner's rows."""
    erp.add_customer("0001")
    erp.add_customer("0002")
    clock.advance(minutes=1)

    code = erp.add_contact("0001", first="Léa", last="Martin", email="lea@x.com", default=True)
    erp.add_contact("0002", code, mailing_prohibited=True)

    assert {(1, "0001", code), (1, "0002", code)} <= set(erp.contacts)
    assert ("Martin", 1) == (erp.persons[code]["CNTLNA"], erp.persons[code]["CNTFBDMAG"])
    assert (code, clock()) == (erp.customers["0001"]["CNTNAM"], erp.customers["0001"]["UPDDATTIM"])


@pytest.mark.parametrize(
    "fields", [{"NOSUCH": 1}, {"BPCSHO": "x" * 11}, {"WEB": ["a"] * 6}, {"LAN": 5}, {"UPDDATTIM": datetime(2026, 1, 1)}]
)
def test_a_slip_in_a_test_is_not_lost(erp, fields):
    """Codes that are not there and values that do not fit are refused."""
    with pytest.raises(ValueError, match=r"column|holds|occurs|takes"):
        erp.add_customer("0001", **fields)


@pytest.mark.parametrize("query", ["NOSUCH", "address.NOSUCH", "nobody.BPRNAM", "address.WEB#6"])
def test_a_representation_names_what_is_there(erp, query):
    """A representation of a field or join that is not there cannot be published."""
    with pytest.raises(ValueError, match=r"column|join|occurs"):
        erp.add_representation("YBAD", "BPCUSTOMER", query)


def test_a_site_without_own_representations_is_thin(clock):
    """Without the X3 team's work lists have hardly more than keys and names, and nothing tells when a row changed."""
    with FakeSageX3(customers=2, clock=clock, rich=False) as erp, client(erp) as http:
        row = rows(http.get(address("/BPCUSTOMER", representation="BPCUSTOMER.$query")))[0]
        refused = http.get(address("/BPCUSTOMER", representation="YMCBPC.$query"))

    assert {"BPCNUM", "BPCNAM"} == {name for name in row if not name.startswith("$")}
    assert 400 == refused.status_code


def test_samples_are_the_same_for_the_same_seed():
    """The same seed and present give the same rows; among many are old, prohibited, inactive and odd ones."""
    first, second = (FakeSageX3(customers=600, contacts=20, orders=5, invoices=5, now=NOW) for _ in range(2))
    with_dates = [{name: dict(store) for name, store in fake.site.stores.items()} for fake in (first, second)]

    assert with_dates[0] == with_dates[1]
    assert {None} < {row["UPDDATTIM"] for row in first.customers.values()}
    assert {0, 1, 2} == {row["BPCSTA"] for row in first.customers.values()}
    assert {1, 2} == {row["BPRFBDMAG"] for row in first.partners.values()}
    assert {"/", " ", "-"} <= {sign for key in first.customers for sign in key}
    assert all(row["UPDDATTIM"] is None or row["UPDDATTIM"] < NOW for row in first.customers.values())
