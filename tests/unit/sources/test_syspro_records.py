"""Rows of SYSPRO as records: names, addresses, and totals worked out from lines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources._values import person_in
from mlconnector_sdk.sources.syspro._contacts import emails_in, people_in
from mlconnector_sdk.sources.syspro._documents import DocumentReader, invoices_in, whole_groups
from mlconnector_sdk.sources.syspro._records import Reader, shown_number, stored_code
from mlconnector_sdk.sources.syspro._settings import mark_in, status_test


def reader(**settings):
    """A reader of a site without settings of its own."""
    status, _ = status_test(None)
    return Reader(**{"status": status, "opt_outs": {}, "deltas": {}, "zone": ZoneInfo("UTC"), **settings})


# Parties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jane Fielding", ("Jane", "Fielding")),
        ("  Jane   Fielding ", ("Jane", "Fielding")),
        ("Mr. Jan van Dam", ("Jan", "van Dam")),
        ("DR Ö. Müller-Lüdenscheidt", ("Ö.", "Müller-Lüdenscheidt")),
        ("Mary O'Hara", ("Mary", "O'Hara")),
        ("Jane", ("", "")),
        ("", ("", "")),
        ("Jane & Bob", ("", "")),
        ("Fielding, Jane", ("", "")),
        ("Accounts Payable ext 12", ("", "")),
        ("jane@harbor.example office", ("", "")),
        ("Sales (mornings)", ("", "")),
    ],
)
def test_names_are_split_only_where_it_is_clear(text, expected):
    """Two or three words of letters are a person; anything else stays one field, in the row."""
    assert person_in(text) == expected


@pytest.mark.parametrize(
    ("code", "stored", "shown"),
    [
        ("413", "000000000000413", "413"),
        ("000000000000413", "000000000000413", "413"),
        ("CASH07", "CASH07", "CASH07"),
        ("0A1", "0A1", "0A1"),
        ("0", "000000000000000", "0"),
        ("1234567890123456", "1234567890123456", "1234567890123456"),
        ("٤١٣", "٤١٣", "٤١٣"),
    ],
)
def test_codes_in_stored_and_shown_form(code, stored, shown):
    """Codes of ASCII digits are padded to 15 and shown without zeros; all others are as they are."""
    assert (stored_code(code), shown_number(code)) == (stored, shown)


def test_address_lines_mean_what_a_site_says():
    """The usual meaning of five lines, another one, and a line that stands for several parts of one."""
    row = {f"SoldToAddr{number}": f"line {number}" for number in range(1, 6)}
    row |= {"Customer": "A", "SoldPostalCode": " LS1 ", "Nationality": "GBR"}
    other = reader(address_lines=("line1", "line2", "line2", "city", ""))

    assert (
        Address(line1="line 1", line2="line 2", city="line 3", region="line 4", postal_code="LS1", country="line 5")
        == reader().customer(row).address
    )
    assert (
        Address(line1="line 1", line2="line 2, line 3", city="line 4", postal_code="LS1", country="GBR")
        == other.customer(row).address
    )


def test_the_local_line_stands_in_for_the_third():
    """A site that writes the town into line 3 (local) has a town as well; no lines are no address."""
    row = {"Customer": "A", "SoldToAddr1": "1 Quay", "SoldToAddr3Loc": "Leeds"}

    assert ("Leeds", "") == (reader().customer(row).address.city, reader().customer(row).address.country)
    assert Address() == reader().customer({"Customer": "A", "Nationality": "GBR"}).address


def test_codes_of_languages_are_letters_only():
    """SYSPRO's own numbers for languages mean nothing elsewhere."""
    assert "EN" == reader().customer({"Customer": "A", "LanguageCode": "EN"}).language
    assert "" == reader().customer({"Customer": "A", "LanguageCode": "05"}).language


def test_a_row_without_its_key_is_set_aside():
    """Nobody is made of a row that says not whom it is about."""
    for read, row in (
        (reader().customer, {"Name": "Nobody"}),
        (reader().supplier, {"Supplier": " "}),
        (reader().contact, {}),
        (DocumentReader(parties=reader()).invoice, {"Invoice": ""}),
        (DocumentReader(parties=reader()).sales_order, {}),
        (DocumentReader(parties=reader()).sales_order, {"SalesOrder": "1", "Lines": [{"LineType": "1"}]}),
    ):
        with pytest.raises(MappingError, match="missing"):
            read(row)


def test_suppliers_on_hold():
    """A supplier on hold is on hold."""
    assert "on_hold" == reader().supplier({"Supplier": "S", "OnHold": "Y"}).status
    assert "active" == reader().supplier({"Supplier": "S", "OnHold": " "}).status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("0000-00-00", None),
        (0, None),
        ("2024-05-30", date(2024, 5, 30)),
        ("2024-05-30T08:00:00", datetime(2024, 5, 30, 6, tzinfo=UTC)),
        ("2024-05-30T08:00:00+01:00", datetime(2024, 5, 30, 7, tzinfo=UTC)),
        ("      1234", 1234),
        (1234, 1234),
        (Decimal("1234.0"), 1234),
    ],
)
def test_marks_are_typed(value, expected):
    """A date, an instant (in the site's zone without an offset), a counter, or nothing."""
    assert mark_in({"Mark": value}, "Mark", ZoneInfo("Europe/Paris")) == expected


def test_columns_of_days_are_days_however_they_are_written():
    """SYSPRO's own dates are calendar dates, even as midnights with an offset."""
    row = {"InvoiceDate": "2024-05-30T00:00:00+12:00"}

    assert mark_in(row, "InvoiceDate", ZoneInfo("UTC")) == date(2024, 5, 30)


def test_private_addresses_of_contacts_are_left_alone():
    """An address that is marked private is not read; the preferred one comes first."""

    def single(email, preferred, private):
        flags = f"<EmailPreferred>{preferred}</EmailPreferred><EmailPrivate>{private}</EmailPrivate>"
        return f"<SingleEmail><Email>{email}</Email>{flags}</SingleEmail>"

    emails = single("a@x.example", "N", "N") + single("me@home.example", "N", "Y") + single("b@x.example", "Y", "N")
    body = (
        "<ContactQuery><Contact><PersonalInfo><FirstName>Jan</FirstName></PersonalInfo><PhoneList/>"
        f"<EmailList>{emails}</EmailList></Contact><Contact/></ContactQuery>"
    )

    [jan] = people_in(body.encode(), lambda _: "C1")

    assert ("b@x.example; a@x.example", "C1", "") == (jan["Email"], jan["Customer"], jan["Telephone"])


def test_an_answer_without_contacts():
    """An empty list is a list."""
    assert [] == people_in(b"<ContactQuery/>", lambda _: "")


def test_addresses_in_a_column():
    """Several addresses in one column, and what is none of them."""
    assert ["a@x.example", "B@x.example"] == emails_in(" a@x.example ;B@x.example, none; c d@x.example")


# Invoices


def line(number, *, net, **more):
    """A line of the register."""
    keys = {"TrnYear": 2026, "TrnMonth": 3, "Register": 1, "SummaryLine": 1, "DetailLine": number}
    values = {"QtyInvoiced": 1, "NetSalesValue": net, "TaxValue": 0, "StockCode": "A"}
    return {"Invoice": "000000000000007", "DocumentType": "I", "Customer": "C", **keys, **values, **more}


def invoice(*lines):
    """The document that lines make."""
    [document] = invoices_in(lines)
    return DocumentReader(parties=reader()).invoice(document)


def test_an_invoice_is_the_sum_of_its_lines():
    """Net values, taxes and freight; a discount is in the price before it, not in the value after it."""
    order = invoice(
        line(1, net="90.00", QtyInvoiced="          4.000000", DiscValue="10.00", TaxValue="18.00"),
        line(2, net="7.50", LineType="4", StockCode=" "),
        line(3, net="2.00", LineType="5", StockCode=" ", QtyInvoiced=0),
    )

    assert (Decimal("117.50"), Decimal("18.00"), Decimal("7.50")) == (order.total, order.tax, order.shipping)
    goods, charge = order.lines
    assert (Decimal(25), Decimal(10), Decimal(90)) == (goods.unit_price, goods.discount, goods.amount)
    assert ("", Decimal(2)) == (charge.product_key, charge.unit_price)
    assert ("I/000000000000007", "7", "invoice", True, "") == (
        order.key,
        order.number,
        order.kind,
        order.final,
        order.payment,
    )


@pytest.mark.parametrize(
    ("way", "rate", "total"), [("M", "1.25", "80.00"), ("D", "0.8", "80.00"), ("M", "0", "100.00")]
)
def test_values_are_those_of_the_posting_currency(way, rate, total):
    """Local values go back the way they came; a rate of nothing is no rate."""
    order = invoice(line(1, net="100.00", PostCurrency="EUR", PostConvRate=rate, PostMulDiv=way))

    assert ("EUR", Decimal(total)) == (order.currency, order.total)


@pytest.mark.parametrize(
    ("kind", "net", "expected"),
    [
        ("C", "-40.00", ("credit", "40.00", 2)),
        ("C", "40.00", ("credit", "40.00", -2)),
        ("I", "-40.00", ("invoice", "-40.00", -2)),
    ],
)
def test_credit_notes_are_positive(kind, net, expected):
    """The values of a credit note are turned where they are negative, those of an invoice never."""
    order = invoice(line(1, net=net, DocumentType=kind, QtyInvoiced=-2))

    assert expected == (order.kind, str(order.total), int(order.lines[0].quantity))


def test_transfers_between_branches_are_no_sale():
    """A document for another branch of the company is not final."""
    assert not invoice(line(1, net=1, InterBranchTrf="Y")).final


def test_a_blank_type_is_an_invoice():
    """Documents whose type is not shown are invoices."""
    assert "I/000000000000007" == invoice(line(1, net=1, DocumentType=" ")).key


@given(sizes=st.lists(st.integers(1, 6), max_size=12), cuts=st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_pages_cut_anywhere_give_whole_groups(sizes, cuts):
    """However lines are cut into pages, each group comes once and whole, in order."""
    rows = [{"Invoice": f"{number}", "Line": place} for number, size in enumerate(sizes) for place in range(size)]
    pages, start = [], 0
    while start < len(rows):
        size = cuts[len(pages) % len(cuts)]
        pages.append(rows[start : start + size])
        start += size

    groups = [group for page in whole_groups(pages, "Invoice") for group in page]

    assert sizes == [len(group) for group in groups]
    assert rows == [row for group in groups for row in group]


money = st.decimals(min_value=-99999, max_value=99999, places=2)


@given(
    values=st.lists(st.tuples(money, money, st.sampled_from(["1", "4", "5", "7", ""])), min_size=1, max_size=8),
    kind=st.sampled_from("ICD"),
)
def test_totals_are_exact(values, kind):
    """Whatever the lines, the total is the exact sum of values and taxes, and lines and freight make up the net."""
    rows = [
        line(number, net=net, TaxValue=tax, LineType=line_type, DocumentType=kind)
        for number, (net, tax, line_type) in enumerate(values)
    ]
    order = invoice(*rows)
    net, tax = (sum((value[place] for value in values), Decimal(0)) for place in (0, 1))

    assert abs(order.total) == abs(net + tax)
    assert order.total == sum((one.amount for one in order.lines), Decimal(0)) + order.shipping + order.tax
    assert kind != "C" or order.total >= 0


# Sales orders


def order_of(*lines, **head):
    """The sales order that lines make."""
    numbered = [{"SalesOrderLine": number, "MStockCode": "A", **one} for number, one in enumerate(lines, 1)]
    row = {"SalesOrder": "000000000015574", "OrderStatus": "1", "Customer": "C", "Lines": numbered, **head}
    return DocumentReader(parties=reader()).sales_order(row)


def goods(quantity, price, **more):
    """A line of goods."""
    return {"LineType": "1", "MOrderQty": quantity, "MPrice": price, **more}


@pytest.mark.parametrize(
    ("discount", "amount"),
    [
        ({}, "100.00"),
        ({"MDiscPct1": "10"}, "90.00"),
        ({"MDiscPct1": "10", "MDiscPct2": "10", "MDiscPct3": "5"}, "76.95"),
        ({"MDiscValFlag": "U", "MDiscValue": "3", "MDiscPct1": "10"}, "88.00"),
        ({"MDiscValFlag": "V", "MDiscValue": "3"}, "97.00"),
    ],
)
def test_line_discounts(discount, amount):
    """Percentages go off one after the other; a value goes off each unit or the whole line."""
    order = order_of(goods(4, "25.00000", **discount))

    [found] = order.lines
    assert (Decimal(amount), Decimal(25)) == (found.amount, found.unit_price)
    assert Decimal(100) == found.amount + found.discount
    assert order.total == found.amount


def test_a_sales_order_adds_up():
    """The order's own discounts go off the goods; freight and charges come on top; comments are nothing."""
    order = order_of(
        goods(2, "50"),
        {"LineType": "4", "NMscChargeValue": "7.50"},
        {"LineType": "5", "NMscChargeValue": "2.25", "NMscProductCls": "_FRT"},
        {"LineType": "5", "NMscChargeValue": "4.00", "NComment": "Gift wrapping"},
        {"LineType": "6", "NComment": "Thank you"},
        DiscPct1="10",
        DiscPct2="10",
    )

    assert (Decimal("94.75"), Decimal("19.00"), Decimal("9.75"), Decimal(0)) == (
        order.total,
        order.discount,
        order.shipping,
        order.tax,
    )
    assert ["A", ""] == [one.product_key for one in order.lines]
    assert ("15574", "order") == (order.number, order.kind)


@pytest.mark.parametrize(
    ("head", "final", "payment"),
    [
        ({"OrderStatus": "0"}, False, ""),
        ({"OrderStatus": "1"}, True, ""),
        ({"OrderStatus": "9"}, True, ""),
        ({"OrderStatus": "S"}, False, ""),
        ({"OrderStatus": "F"}, False, ""),
        ({"OrderStatus": "\\"}, True, "cancelled"),
        ({"OrderStatus": "1", "CancelledFlag": "Y"}, True, "cancelled"),
        ({"OrderStatus": "*"}, False, ""),
        ({"OrderStatus": "*", "CancelledFlag": "Y"}, False, "cancelled"),
        ({"OrderStatus": "1", "InterWhSale": "Y"}, False, ""),
    ],
)
def test_which_sales_orders_count(head, final, payment):
    """Confirmed ones do, and cancelled ones as such; what is in process, suspended, forward or a transfer does not."""
    order = order_of(goods(1, 1), **head)

    assert (final, payment) == (order.final, order.payment)


def test_credit_notes_among_sales_orders():
    """A credit note is one."""
    assert "credit" == order_of(goods(1, 1), DocumentType="C").kind
