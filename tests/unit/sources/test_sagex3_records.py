"""Rows of X3 become records: in all the forms in which its APIs write values, and with what sites differ in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3Rest
from mlconnector_sdk.sources.sagex3._fields import base_code, moment_in, occurrences
from mlconnector_sdk.sources.sagex3._records import BESIDE, is_of_partner


def reader(**settings):
    """A source that is never asked anything but to parse."""
    api = SageX3Rest("https://x3.example", endpoint="SEED", username="SYNC", password="secret")
    return SageX3(api=api, **settings)


def customer(row=None, /, *, settings=None, **fields):
    """The customer of a row."""
    return reader(**(settings or {})).parse("customers", {"BPCNUM": "0001", **(row or {}), **fields})


def invoice(settings=None, **fields):
    """The invoice of a row."""
    row = {"NUM": "INV1", "INVNOT": Decimal(100), "INVATI": Decimal(120), "INVSTA": 3, "SNS": 1, **fields}
    return reader(**(settings or {})).parse("orders", row)


# -- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        {"WEB": ["", "a@x.example", "b@x.example"]},
        {"WEB_0": "", "WEB_1": "a@x.example", "WEB_4": "b@x.example"},
        {"WEB1": "a@x.example", "WEB2": "", "WEB5": "b@x.example"},
        {"WEB": [{"WEB": "a@x.example"}, {"WEB": ""}, {"$uuid": "1"}, {"WEB": "b@x.example"}]},
        {"WEB": [{"WEB_0": "a@x.example"}, {"WEB_0": "b@x.example"}, None]},
        {"WEB": "", "WEB1": "a@x.example", "WEB2": "b@x.example"},
    ],
)
def test_fields_that_occur_several_times_are_read_in_every_form(row):
    """A list of texts or objects, or one field for each occurrence, counted from zero or from one."""
    assert ["a@x.example", "b@x.example"] == occurrences(row, "BPADDRESS.WEB", "WEB")


def test_the_field_of_a_table_beside_wins_over_one_of_the_row():
    """A joined field bears its table's name, and so may its occurrences."""
    row = {"WEB": "own@x.example", "BPADDRESS.WEB1": "joined@x.example"}

    assert ["joined@x.example"] == occurrences(row, "BPADDRESS.WEB", "WEB")
    assert occurrences({}, "WEB") == []


def test_a_list_within_a_list_is_no_text():
    """A field in a form that nobody knows stops its own record, and is named."""
    with pytest.raises(MappingError, match="WEB: expected text"):
        occurrences({"WEB": [["x"]]}, "WEB")


@pytest.mark.parametrize(
    ("name", "code"), [("WEB1", "WEB"), ("WEB_0", "WEB"), ("BPCNUM", "BPCNUM"), ("$etag", "$etag")]
)
def test_occurrences_share_a_code(name, code):
    """The number behind a code counts its occurrences."""
    assert code == base_code(name)


@pytest.mark.parametrize(
    "value",
    [None, "", "   ", "0000-00-00", "1599-12-31", "1753-01-01", "1599-12-31T00:00:00Z", "0000-00-00T00:00:00Z"],
)
def test_no_date_is_written_in_many_ways(value):
    """Databases that cannot leave a date empty hold one of long ago."""
    assert moment_in({"UPDDATTIM": value}, "UPDDATTIM") is None
    assert invoice(INVDAT=value).placed_on is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-18T08:14:25Z", datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC)),
        ("2026-01-18T08:14:25.120Z", datetime(2026, 1, 18, 8, 14, 25, 120000, tzinfo=UTC)),
        ("2026-01-18T10:14:25+02:00", datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC)),
        ("2026-01-18T08:14:25", datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC)),
        ("2026-01-18", datetime(2026, 1, 18, tzinfo=UTC)),
    ],
)
def test_stamps_are_utc(value, moment):
    """A stamp without zone is UTC, as X3 keeps it, and a calendar day is its midnight."""
    assert moment == customer(UPDDATTIM=value).modified_at


@pytest.mark.parametrize("value", ["yesterday", 5, ["2026-01-18"], "2026-13-01"])
def test_a_bad_stamp_stops_its_own_record(value):
    """It is named, without its value."""
    with pytest.raises(MappingError, match="UPDDATTIM: neither a moment nor a day"):
        customer(UPDDATTIM=value)


def test_the_first_stamp_that_is_set_counts():
    """Old rows have a day only; what is beside a row may be younger than the row."""
    assert datetime(2019, 5, 1, tzinfo=UTC) == customer(UPDDATTIM="", UPDDAT="2019-05-01").modified_at
    younger = customer({BESIDE: "2026-01-02T00:00:00+00:00"}, UPDDATTIM="2026-01-01T00:00:00Z")
    older = customer({BESIDE: "2025-01-02T00:00:00+00:00"}, UPDDATTIM="2026-01-01T00:00:00Z")
    assert [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)] == [
        younger.modified_at,
        older.modified_at,
    ]
    assert customer().modified_at is None


# -- parties --------------------------------------------------------------------------------------------------------

_PEOPLE = {
    "CONTACTCRM.CNTWEB": "person@x.example",
    "CONTACT.WEB": "desk@x.example",
    "BPADDRESS.WEB": ["", "office@x.example"],
}


@pytest.mark.parametrize(
    ("without", "first", "settings"),
    [
        ((), "person@x.example", {}),
        (("CONTACTCRM.CNTWEB",), "desk@x.example", {}),
        (("CONTACTCRM.CNTWEB", "CONTACT.WEB"), "office@x.example", {}),
        (tuple(_PEOPLE), "", {}),
        ((), "office@x.example", {"customer_email": "address"}),
        (("BPADDRESS.WEB",), "person@x.example", {"customer_email": "address"}),
    ],
)
def test_a_customers_address_is_the_first_there_is(without, first, settings):
    """The person's, that at the partner, then the default address's; or the address's first."""
    row = {name: value for name, value in _PEOPLE.items() if name not in without}

    assert first == customer(row, settings=settings).email


def test_what_cannot_be_an_address_gives_way_to_what_can():
    """A note in the place of an address hides no address, and is told if there is nothing else."""
    assert customer(CNTWEB="none", WEB=["office@x.example"]).email == "office@x.example"
    assert customer(CNTWEB="none").email == "none"
    assert customer(CNTWEB="a@x.example; b@x.example ").email == "a@x.example; b@x.example "


@pytest.mark.parametrize(("value", "status"), [(1, "inactive"), (2, "active"), (0, "active"), (False, "inactive"),
                                               (True, "active"), (None, "active"), ("1", "inactive")])  # fmt: skip
def test_only_a_clear_no_is_inactive(value, status):
    """Menus of X3 have 1 for no and 2 for yes; 0 was never set. GraphQL has booleans."""
    assert customer(BPCSTA=value).status == status
    supplier = reader().parse("suppliers", {"BPSNUM": "S1", "BPSNAM": "Quill", "ENAFLG": value, "BSGCOD": "GOODS"})
    assert (supplier.key, supplier.name, supplier.group, supplier.status) == ("S1", "Quill", "GOODS", status)


def test_the_gravest_status_counts():
    """What a site says of its own fields adds to the usual, by number or label; inactive outweighs on hold."""
    settings = {"statuses": {"BCGCOD": {"old": "inactive"}, "TSCCOD": {"1": "on_hold"}}}

    found = [
        customer(settings=settings, **row).status
        for row in ({"OSTCTL": 3}, {"OSTCTL": 1}, {"OSTCTL": 3, "BCGCOD": "OLD"}, {"TSCCOD": 1}, {"OSTCTL": "blocked"})
    ]

    assert found == ["on_hold", "active", "inactive", "on_hold", "on_hold"]
    with pytest.raises(ConfigurationError, match="statuses: asleep"):
        reader(statuses={"BCGCOD": {"OLD": "asleep"}})


@pytest.mark.parametrize(
    ("value", "opted_out"),
    [(1, False), (2, True), (0, False), (True, True), (False, False), ("", False), (None, False), ("maybe", True)],
)
@pytest.mark.parametrize("flag", ["BPARTNER.BPRFBDMAG", "BPRFBDMAG", "CONTACTCRM.CNTFBDMAG", "CNTFBDMAG"])
def test_whoever_prohibits_mailing_is_opted_out(flag, value, opted_out):
    """Anything but a clear no counts, whether the partner or its default contact says so."""
    assert customer({flag: value}).opted_out is opted_out


def test_a_contact_that_prohibits_mailing_is_opted_out():
    """So is a contact of its own."""
    row = {"BPATYP": 1, "BPANUM": "0001", "CCNCRM": "C1"}

    assert [reader().parse("contacts", {**row, "CNTFBDMAG": flag}).opted_out for flag in (1, 2)] == [False, True]


@pytest.mark.parametrize(("value", "opted_out"), [(1, False), (2, True), (0, False), ("Y", True), ("N", False)])
def test_a_sites_own_flag_is_read_as_x3_menus_are(value, opted_out):
    """Of a number 1 is a no; a function sees the raw row."""
    assert customer(YNOMAIL=value, settings={"optout_field": "YNOMAIL"}).opted_out is opted_out
    by_function = {"optout_field": lambda row: row.get("YNOMAIL") == value}
    assert customer(YNOMAIL=value, settings=by_function).opted_out is True


def test_codes_of_languages_and_countries_are_the_sites():
    """X3's languages are known, a site adds its own; unknown ones are none. Countries stay what they are."""
    settings = {"languages": {"nld": "nl"}, "countries": {"HOL": "NL"}}
    found = [
        customer(settings=settings, **row).language for row in ({"LAN": "BRI"}, {"LAN": "NLD"}, {"LAN": "XXX"}, {})
    ]

    assert found == ["en", "nl", "", ""]
    assert customer(CRY="HOL", settings=settings).address.country == "NL"
    assert customer({"BPADDRESS.CRY": "FR", "CRY": "DE"}).address.country == "FR"


def test_a_whole_customer():
    """Every field has its place, and padding is gone."""
    found = customer(
        {
            "BPARTNER.BPRNAM": ["Alpine Cycles", "SARL"],
            "BPARTNER.LAN": "FRA",
            "BPADDRESS.BPAADDLIG": ["12 rue des Arts", "", "Bât. B", "c/o Martin"],
            "BPADDRESS.POSCOD": "38000     ",
            "BPADDRESS.CTY": "Grenoble",
            "BPADDRESS.SAT": "Isère",
            "BPADDRESS.TEL": ["", "+33 4"],
            "CONTACTCRM.CNTFNA": "Léa",
            "CONTACTCRM.CNTLNA": "Martin",
        },
        BCGCOD="FR",
        CUR="EUR",
    )

    assert ("Alpine Cycles", "Léa", "Martin", "+33 4") == (found.name, found.first_name, found.last_name, found.phone)
    assert ("fr", "FR", "EUR") == (found.language, found.group, found.currency)
    assert found.address == Address(
        line1="12 rue des Arts", line2="Bât. B, c/o Martin", city="Grenoble", region="Isère", postal_code="38000"
    )
    assert customer().address == Address()


def test_a_whole_contact():
    """A person at a partner has the partner's code in its key and as its account."""
    found = reader().parse(
        "contacts",
        {"BPATYP": 1, "BPANUM": "0001 ", "CCNCRM": "C1", "CNTFNA": "Léa", "CNTLNA": "Martin", "CNTFNC": "Buyer",
         "WEB": "desk@x.example", "CNTMOB": "+33 6", "CNTLAN": "FRA", "CNTCRY": "FR"},
    )  # fmt: skip

    assert ("0001~C1", "0001", "Léa Martin") == (found.key, found.customer_key, found.name)
    assert ("desk@x.example", "+33 6", "fr", "FR") == (found.email, found.phone, found.language, found.address.country)
    assert found.job_title == "Buyer"
    numbered = {"BPATYP": 1, "BPANUM": "0001", "CCNCRM": "C1", "CNTFNC": 4}
    assert reader().parse("contacts", numbered).job_title == ""


@pytest.mark.parametrize(
    ("kind", "ours"), [(1, True), (2, False), (None, True), ("businessPartner", True), ("3", False)]
)
def test_only_what_belongs_to_partners_is_ours(kind, ours):
    """Sites and companies have addresses and contacts too."""
    assert is_of_partner({"BPATYP": kind}) is ours


@pytest.mark.parametrize("name", ["$diagnoses", "$diagnosis"])
@pytest.mark.parametrize(("stream", "key"), [("customers", "BPCNUM"), ("suppliers", "BPSNUM"), ("contacts", "BPANUM"),
                                             ("orders", "NUM"), ("orders", "SOHNUM")])  # fmt: skip
def test_an_error_in_the_place_of_a_record_is_no_record(name, stream, key):
    """It is set aside, so that nobody takes blanks for data; a warning is none."""
    row = {key: "1", "CCNCRM": "C1"}
    error = {"$severity": "Error", "$message": "locked"}

    for fault in (error, [error]):
        with pytest.raises(MappingError, match="open it in X3"):
            reader().parse(stream, {**row, name: fault})
    assert reader().parse(stream, {**row, name: [{"$severity": "warning"}]})


@pytest.mark.parametrize("stream", ["customers", "suppliers", "contacts", "orders"])
def test_a_row_without_a_key_is_no_record(stream):
    """The field is named."""
    with pytest.raises(MappingError, match="missing"):
        reader().parse(stream, {})


# -- documents ------------------------------------------------------------------------------------------------------


def test_a_whole_invoice():
    """Totals, tax, lines net of discount, and the address of the document."""
    found = invoice(
        BPCINV="0001", BPINAM=["Alpine", ""], INVDAT="2026-01-18", CUR="EUR", BPIADDLIG=["1 rue"], BPICTY="Lyon",
        BPISAT="", BPIPOSCOD="69000", BPICRY="FR",
        SIVSID=[
            {"SIDLIN": 1000, "ITMREF": "A", "ITMDES1": "City bike", "QTY": 2, "GROPRI": 60, "NETPRI": 45,
             "AMTNOTLIN": 90},
            {"ITMREF": "", "ITMDES": "Freight", "QTY": 1, "NETPRI": 10},
        ],
    )  # fmt: skip

    assert ("INV1", "invoice", True, "0001", "Alpine") == (
        found.key,
        found.kind,
        found.final,
        found.customer_key,
        found.name,
    )
    assert (Decimal(120), Decimal(20), "EUR", date(2026, 1, 18)) == (
        found.total,
        found.tax,
        found.currency,
        found.placed_on,
    )
    assert found.billing_address == Address(line1="1 rue", city="Lyon", postal_code="69000", country="FR")
    bike, freight = found.lines
    assert ("1000", "A", "City bike", 2, 60, 30, 90) == (
        bike.key,
        bike.product_key,
        bike.title,
        bike.quantity,
        bike.unit_price,
        bike.discount,
        bike.amount,
    )
    assert ("2", "", "Freight", 10, 10) == (
        freight.key,
        freight.product_key,
        freight.title,
        freight.unit_price,
        freight.amount,
    )


@pytest.mark.parametrize(
    ("settings", "status", "final"),
    [
        ({}, 3, True),
        ({}, 2, True),
        ({}, 1, False),
        ({}, "Posted", True),
        ({"posted": [3]}, 2, False),
        ({"posted": ["validated"]}, "Validated", True),
        ({"posted": None}, 1, True),
    ],
)
def test_what_is_posted_is_the_sites_to_say(settings, status, final):
    """Numbers and labels of the status differ between installations."""
    assert invoice(settings, INVSTA=status).final is final


@pytest.mark.parametrize(
    ("fields", "kind", "total"),
    [
        ({"SNS": -1}, "credit", 120),
        ({"SINVOICE.SNS": -1, "SNS": ""}, "credit", 120),
        ({"SNS": -1, "INVATI": Decimal(-120), "INVNOT": Decimal(-100)}, "credit", 120),
        ({"SNS": 1, "INVATI": Decimal(-120), "INVNOT": Decimal(-100)}, "invoice", -120),
        ({"SNS": None, "INVATI": Decimal(-120), "INVNOT": Decimal(-100)}, "credit", 120),
        ({"SNS": None}, "invoice", 120),
        ({"INVTYP": "creditMemo"}, "credit", 120),
        ({"SIVTYP": "AVC"}, "credit", 120),
        ({"SINVOICE.INVTYP": 4}, "credit", 120),
        ({"INVTYP": 1, "SIVTYP": "INV"}, "invoice", 120),
    ],
)
def test_credit_notes_are_told_by_sign_or_type(fields, kind, total):
    """Their amounts come positive; an invoice of a return may be negative as a whole."""
    found = invoice({"credit_types": ["avc", 4]}, **fields)

    assert (kind, total) == (found.kind, found.total)
    assert found.tax == (20 if total > 0 else -20)


def test_a_credit_note_names_what_it_corrects():
    """In the field that the site says; an invoice corrects nothing."""
    settings = {"corrects_field": "INVREF"}

    assert invoice(settings, SNS=-1, INVREF="INV0").corrects == "INV0"
    assert invoice(settings, INVREF="INV0").corrects == ""
    assert invoice(SNS=-1, SIHORINUM="INV0").corrects == "INV0"


def test_lines_of_a_negative_credit_note_come_positive():
    """As its totals do."""
    line = {"SIDLIN": 1000, "ITMREF": "A", "QTY": -2, "NETPRI": 50, "AMTNOTLIN": -100}
    found = invoice(SNS=-1, INVATI=Decimal(-120), INVNOT=Decimal(-100), SINVOICED=[line])

    assert [(2, 100)] == [(line.quantity, line.amount) for line in found.lines]


@pytest.mark.parametrize(
    ("states", "cancelled"), [((2, 1, 1), True), ((2, 3, 1), False), ((1, 1, 1), False), ((None, None, None), False)]
)
def test_an_order_closed_before_anything_happened_is_cancelled(states, cancelled):
    """X3 has no other sign of it."""
    row = dict(zip(("ORDSTA", "DLVSTA", "INVSTA"), states, strict=True))
    found = reader(orders="sales_orders").parse("orders", {"SOHNUM": "SON1", "ORDDAT": "2026-01-18", **row})

    assert ("order", "cancelled" if cancelled else "") == (found.kind, found.payment)
    assert found.cancelled_on == (date(2026, 1, 18) if cancelled else None)


def test_a_document_borrows_the_address_of_the_person_it_names():
    """It has none of its own."""
    assert invoice(**{"CONTACTCRM.CNTWEB": " buyer@x.example "}).email == "buyer@x.example"
    assert invoice().email == ""


def test_kept_rows_of_another_setting_are_still_understood():
    """A sales order is one also where invoices are read."""
    assert reader().parse("orders", {"SOHNUM": "SON1"}).kind == "order"
