"""From rows of the contract API to records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources.acumatica._records import Reader, instant, unwrapped
from mlconnector_sdk.sources.acumatica._settings import DEFAULT_STATUSES, opt_outs

READER = Reader(statuses=DEFAULT_STATUSES, opt_outs={})


def wire(**values):
    """A row as it comes, from plain values."""
    return {
        "id": "0eaa2628",
        "rowNumber": 1,
        "note": {"value": ""},
        **{k: _node(v) for k, v in values.items()},
        "custom": {},
    }


def _node(value):
    if isinstance(value, dict):
        return {"id": "1", "rowNumber": 1, "note": None, **{k: _node(v) for k, v in value.items()}, "custom": {}}
    if isinstance(value, list):
        return [_node(one) for one in value]
    return {} if value is None else {"value": value}


def customer(**values):
    """A customer from a row with these values."""
    return READER.customer(unwrapped(wire(CustomerID="C1", **values)))


def invoice(**values):
    """A sales invoice from a row with these values."""
    settings = {"Type": "Invoice", "ReferenceNbr": "AR1", "Status": "Open", **values}
    return READER.sales_invoice(unwrapped(wire(**settings)))


def test_rows_are_unwrapped_to_plain_values():
    """Values come out bare, empties vanish, and linked, detail and custom values keep their places."""
    row = wire(CustomerID="C1", AccountRef=None, MainContact={"Email": "a@b.c", "Fax": None}, Details=[{"LineNbr": 1}])
    row["custom"] = {"Document": {"CuryID": {"type": "CustomStringField", "value": "USD"}}}
    row["_links"] = {"self": "/x"}
    row["Nothing"] = None
    row["ParentRecord"] = {"value": None}
    row["files"] = [{"id": "1", "filename": "x.pdf"}]

    assert {
        "id": "0eaa2628",
        "CustomerID": "C1",
        "MainContact": {"id": "1", "Email": "a@b.c"},
        "Details": [{"id": "1", "LineNbr": 1}],
        "custom": {"Document": {"CuryID": "USD"}},
    } == unwrapped(row)


def test_unwrapping_twice_changes_nothing():
    """A kept row can be read like a fresh one."""
    once = unwrapped(wire(CustomerID="C1", MainContact={"Email": "a@b.c"}))

    assert once == unwrapped(once)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-05-19T22:50:36.837+00:00", datetime(2020, 5, 19, 22, 50, 36, 837_000, tzinfo=UTC)),
        ("2020-02-01T19:29:55.12+00:00", datetime(2020, 2, 1, 19, 29, 55, 120_000, tzinfo=UTC)),
        ("2020-02-01T19:29:55+00:00", datetime(2020, 2, 1, 19, 29, 55, tzinfo=UTC)),
        ("2020-02-01T20:29:55+01:00", datetime(2020, 2, 1, 19, 29, 55, tzinfo=UTC)),
        ("2020-02-01T19:29:55", datetime(2020, 2, 1, 19, 29, 55, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_stamps_are_read_with_any_fraction(text, expected):
    """A change stamp is an instant in UTC, however many digits its fraction has."""
    assert expected == instant(text, "LastModifiedDateTime")


def test_customer_speaks_with_the_company_address():
    """A customer has the company's address and phone, and the name of the person who is its primary contact."""
    record = customer(
        CustomerName=" Harbor Pumps ",
        CustomerClass="RETAIL",
        CurrencyID="USD",
        MainContact={
            "Email": " office@harbor.example ",
            "Phone1": "1",
            "Address": {"AddressLine1": "Quay 1", "City": "Hull", "State": "Y", "PostalCode": "HU1", "Country": "GB"},
        },
        PrimaryContact={"Email": "mary@harbor.example", "FirstName": "Mary", "LastName": "Hara", "Phone1": "2"},
    )

    assert ("C1", "Harbor Pumps", "RETAIL", "USD") == (record.key, record.name, record.group, record.currency)
    assert " office@harbor.example " == record.email
    assert ("Mary", "Hara", "1") == (record.first_name, record.last_name, record.phone)
    assert Address(line1="Quay 1", city="Hull", region="Y", postal_code="HU1", country="GB") == record.address


def test_top_level_email_of_newer_versions_counts():
    """From 23.200.001 on the company's e-mail is a field of the customer itself."""
    assert "top@a.example" == customer(Email="top@a.example", PrimaryContact={"Email": "p@a.example"}).email


@pytest.mark.parametrize(
    ("first", "main", "person", "expected"),
    [
        ("main", "m@a.example", "p@a.example", "m@a.example"),
        ("main", None, "p@a.example", "p@a.example"),
        ("main", "  ", "p@a.example", "p@a.example"),
        ("primary", "m@a.example", "p@a.example", "p@a.example"),
        ("primary", "m@a.example", None, "m@a.example"),
        ("primary", None, None, ""),
    ],
)
def test_which_address_comes_first_is_a_setting(first, main, person, expected):
    """The other address serves where the preferred one is empty."""
    reader = Reader(customer_email=first, statuses=DEFAULT_STATUSES, opt_outs={})
    row = unwrapped(wire(CustomerID="C1", MainContact={"Email": main}, PrimaryContact={"Email": person}))

    assert expected == reader.customer(row).email


@pytest.mark.parametrize(
    ("label", "status"),
    [
        ("Active", "active"),
        ("One-Time", "active"),
        ("On Hold", "on_hold"),
        ("Credit Hold", "on_hold"),
        ("Inactive", "inactive"),
        ("Something new", "active"),
    ],
)
def test_status_labels_are_ours(label, status):
    """The form's labels become our three; an unheard-of label takes nobody off."""
    assert status == customer(Status=label).status


@pytest.mark.parametrize("flag", ["DoNotEmail", "NoMassMail", "NoMarketing"])
def test_each_of_the_three_boxes_opts_out(flag):
    """Any of the person's boxes against mailing opts the contact and the customer out."""
    assert customer(PrimaryContact={flag: True}).opted_out
    assert READER.contact(unwrapped(wire(ContactID=5, **{flag: True}))).opted_out
    assert not customer(PrimaryContact={flag: False}).opted_out


def test_flag_that_is_no_flag_is_not_taken_for_consent():
    """A box that is neither true nor false sets the record aside."""
    with pytest.raises(MappingError, match="NoMassMail"):
        customer(PrimaryContact={"NoMassMail": "maybe"})


def test_saved_primary_contact_counts_as_a_change():
    """What we read of a customer was changed when either the account or its primary contact was saved last."""
    person = {"LastModifiedDateTime": "2024-05-21T08:12:01.5+00:00"}
    record = customer(LastModifiedDateTime="2024-05-19T22:50:36.837+00:00", PrimaryContact=person)

    assert datetime(2024, 5, 21, 8, 12, 1, 500_000, tzinfo=UTC) == record.modified_at
    assert customer(PrimaryContact=person).modified_at is None


def test_contact_is_a_person_of_an_account():
    """A contact has its number as key, its account, and is inactive when the form says so."""
    row = wire(ContactID=100221, BusinessAccount="C1 ", DisplayName="Mary Hara", JobTitle="Buyer", Active=False)
    record = READER.contact(unwrapped(row))

    assert ("100221", "C1", "Mary Hara", "Buyer", "inactive") == (
        record.key,
        record.customer_key,
        record.name,
        record.job_title,
        record.status,
    )
    assert "active" == READER.contact(unwrapped(wire(ContactID=1))).status


def test_supplier_is_a_vendor():
    """A vendor with payments on hold is on hold."""
    row = wire(
        VendorID="V1", VendorName="Quill", VendorClass="PAPER", Status="Hold Payments", MainContact={"Email": "q@a"}
    )
    record = READER.supplier(unwrapped(row))

    assert ("V1", "Quill", "PAPER", "on_hold", "q@a") == (
        record.key,
        record.name,
        record.group,
        record.status,
        record.email,
    )


def test_sales_invoice_keeps_money_exact_and_dates_unshifted():
    """Amounts are exact decimals, the date is the calendar date, lines carry their own text and not the account's."""
    text = """{"id": "x", "Type": {"value": "Invoice"}, "ReferenceNbr": {"value": "AR1"}, "Status": {"value": "Open"},
      "Date": {"value": "2024-05-20T00:00:00+00:00"}, "CustomerID": {"value": "C1"}, "Currency": {"value": "USD"},
      "Amount": {"value": 196.9500}, "TaxTotal": {"value": 14.45}, "FreightPrice": {"value": 12.5},
      "DiscountTotal": {"value": 0.05}, "LastModifiedDateTime": {"value": "2024-05-20T10:02:44.913+00:00"},
      "BillingSettings": {"BillToContact": {"Email": {"value": "bill@a.example"}, "BusinessName": {"value": "O'Hara"}},
                          "BillToAddress": {"City": {"value": "Kirkland"}}},
      "FreightDetails": [{"TotalFreightAmount": {"value": 12.5}}, {"TotalFreightAmount": {"value": 2.25}}],
      "Details": [{"LineNbr": {"value": 1}, "InventoryID": {"value": "LEGO"}, "TransactionDescr": {"value": "Brick"},
                   "Description": {"value": "Sales Revenue"}, "Qty": {"value": 2.5}, "UnitPrice": {"value": 10.0},
                   "DiscountAmount": {"value": 1}, "Amount": {"value": 24.0}}]}"""
    record = READER.sales_invoice(unwrapped(json.loads(text, parse_float=Decimal)))

    assert ("Invoice/AR1", "AR1", "invoice", True, "open") == (
        record.key,
        record.number,
        record.kind,
        record.final,
        record.payment,
    )
    assert (Decimal("196.9500"), Decimal("14.45"), Decimal("14.75"), Decimal("0.05")) == (
        record.total,
        record.tax,
        record.shipping,
        record.discount,
    )
    assert (date(2024, 5, 20), "bill@a.example", "O'Hara", "Kirkland", "C1", "USD") == (
        record.placed_on,
        record.email,
        record.name,
        record.billing_address.city,
        record.customer_key,
        record.currency,
    )
    (line,) = record.lines
    assert ("1", "LEGO", "Brick", Decimal("2.5"), Decimal(1), Decimal("24.0")) == (
        line.key,
        line.product_key,
        line.title,
        line.quantity,
        line.discount,
        line.amount,
    )


@pytest.mark.parametrize(
    ("status", "final", "payment"),
    [
        ("Open", True, "open"),
        ("Closed", True, "paid"),
        ("Reserved", True, "open"),
        ("Canceled", True, "cancelled"),
        ("Balanced", False, ""),
        ("On Hold", False, ""),
        ("Voided", False, ""),
        ("Pending Print", False, ""),
    ],
)
def test_posted_statuses_are_final(status, final, payment):
    """Only what was posted is final; a balanced document is not."""
    record = invoice(Status=status, LastModifiedDateTime="2024-05-20T23:30:00+00:00")

    assert (final, payment) == (record.final, record.payment)
    assert (date(2024, 5, 20) if status == "Canceled" else None) == record.cancelled_on


@pytest.mark.parametrize("kind", ["Overdue Charge", "Credit WO", "Prepmt. Invoice"])
def test_charges_are_no_purchases(kind):
    """A posted document by which nobody bought anything is no order."""
    row = wire(Type=kind, ReferenceNbr="AR1", Status="Open", Customer="C1")

    assert not READER.invoice(unwrapped(row)).final


@pytest.mark.parametrize(
    ("lines", "corrects"),
    [
        ([{"OrigInvNbr": "AR1"}], "Invoice/AR1"),
        ([{"OrigInvNbr": "AR1", "OrigInvType": "Debit Memo"}], "Debit Memo/AR1"),
        ([{"OrigInvNbr": "AR1"}, {"OrigInvNbr": "AR1"}, {}], "Invoice/AR1"),
        ([{"OrigInvNbr": "AR1"}, {"OrigInvNbr": "AR2"}], ""),
        ([{}], ""),
    ],
)
def test_credit_memo_names_what_it_corrects(lines, corrects):
    """A credit names the one invoice its lines return; several are no answer."""
    details = [{"LineNbr": number, **line} for number, line in enumerate(lines, 1)]
    record = invoice(Type="Credit Memo", Details=details)

    assert ("credit", corrects) == (record.kind, record.corrects)
    assert "" == invoice(Details=details).corrects


def test_invoice_has_its_own_names():
    """The receivables document calls customer, text and currency differently."""
    row = wire(
        Type="Invoice",
        ReferenceNbr="AR1",
        Status="Closed",
        Customer="C1",
        Amount=5,
        BillToContact={"Email": "b@a.example"},
        Details=[{"LineNbr": 1, "TransactionDescription": "Brick", "Qty": 1}],
    )
    row["custom"] = {"Document": {"CuryID": {"type": "CustomStringField", "value": "EUR "}}}
    record = READER.invoice(unwrapped(row))

    assert ("C1", "EUR", "b@a.example", "Brick", Decimal(5)) == (
        record.customer_key,
        record.currency,
        record.email,
        record.lines[0].title,
        record.total,
    )


def test_sales_order_is_confirmed_or_not():
    """An order on hold is not final, a completed one is, and one that only takes back is a credit."""

    def order(status, *operations):
        lines = [{"LineNbr": n, "Operation": o, "LineDescription": "Brick"} for n, o in enumerate(operations, 1)]
        totals = {"Freight": 3, "DiscountTotal": 1}
        row = wire(OrderType="SO", OrderNbr="1", Status=status, OrderTotal=9, Totals=totals, Details=lines)
        return READER.sales_order(unwrapped(row))

    done = order("Completed", "Issue", "Receipt")
    assert ("SO/1", "order", True, "Brick") == (done.key, done.kind, done.final, done.lines[0].title)
    assert (Decimal(9), Decimal(3), Decimal(1)) == (done.total, done.shipping, done.discount)
    assert not order("On Hold", "Issue").final
    assert "credit" == order("Open", "Receipt").kind
    assert "cancelled" == order("Canceled", "Issue").payment


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"CustomerID": None}, "CustomerID"),
        ({"CustomerID": "  "}, "CustomerID"),
        ({"CustomerName": {"First": "x"}}, "CustomerName"),
        ({"MainContact": "a secret text"}, "MainContact"),
        ({"Email": 5}, "Email"),
        ({"LastModifiedDateTime": "a secret text"}, "LastModifiedDateTime"),
    ],
)
def test_unreadable_customer_names_the_field_and_no_value(values, named):
    """What cannot be read is said by field, never by value."""
    row = unwrapped(wire(**{"CustomerID": "C1", **values}))

    with pytest.raises(MappingError, match=named) as caught:
        READER.customer(row)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"Amount": "a lot"}, "Amount"),
        ({"Amount": True}, "Amount"),
        ({"Date": "soon"}, "Date"),
        ({"Date": 20240520}, "Date"),
        ({"Details": "none"}, "Details"),
        ({"Details": [{"Qty": 1}]}, "LineNbr"),
    ],
)
def test_unreadable_invoice_names_the_field(values, named):
    """Wrong numbers, dates and lines set the document aside."""
    with pytest.raises(MappingError, match=named):
        invoice(**values)


def test_kept_amounts_may_have_become_text():
    """A row that was stored as JSON reads the same."""
    row = unwrapped(wire(Type="Invoice", ReferenceNbr="AR1", Amount="196.95", TaxTotal=14.45))

    assert (Decimal("196.95"), Decimal("14.45")) == (
        READER.sales_invoice(row).total,
        READER.sales_invoice(row).tax,
    )


@pytest.mark.parametrize(
    ("field", "row", "expected"),
    [
        ("UsrNoMail", {"UsrNoMail": True}, True),
        ("UsrNoMail", {"UsrNoMail": False}, False),
        ("UsrNoMail", {}, False),
        ("PrimaryContact/DoNotMail", {"PrimaryContact": {"DoNotMail": "Yes"}}, True),
        ("CurrentCustomer.UsrNoMail", {"custom": {"CurrentCustomer": {"UsrNoMail": "never"}}}, True),
        ("CurrentCustomer.UsrNoMail", {"custom": {"CurrentCustomer": {"UsrNoMail": "No"}}}, False),
        ("PrimaryContact/Contact.UsrX", {"PrimaryContact": {"custom": {"Contact": {"UsrX": 1}}}}, True),
    ],
)
def test_own_opt_out_field(field, row, expected):
    """A site's own field opts out with anything but a clear no."""
    tests, needed = opt_outs(field)

    assert expected == tests["customers"](row)
    assert {"customers", "contacts", "suppliers"} == set(tests) == set(needed)


def test_own_opt_out_function_that_fails_sets_the_record_aside():
    """A caller's function cannot stop the run, and its failure is not taken for consent."""
    tests, needed = opt_outs(lambda raw: raw["NotThere"])
    reader = Reader(statuses=DEFAULT_STATUSES, opt_outs=tests)

    assert {} == needed
    with pytest.raises(MappingError, match="KeyError"):
        reader.contact({"ContactID": 1})


def test_own_opt_out_field_must_be_one_value():
    """A field that turns out to be a list is said to be so."""
    tests, _ = opt_outs({"customers": "Attributes"})
    reader = Reader(statuses=DEFAULT_STATUSES, opt_outs=tests)

    with pytest.raises(MappingError, match="Attributes"):
        reader.customer({"CustomerID": "C1", "Attributes": [{"Value": "x"}]})
