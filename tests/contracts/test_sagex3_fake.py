"""The fake Sage X3 against the columns of real installations and the documented shape of api1's answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import quote
from uuid import UUID

import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from mlconnector_sdk.testing.fakes._sagex3_tables import TABLES
from tests.contracts import _sagex3_oracle as oracle
from tests.contracts._sagex3_asking import NOW, SAVED, address, asking, asking_anything, client, keys, rows, without

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)

HOST = "https://x3.example.test:8124"


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(NOW)


@pytest.fixture(name="erp")
def _erp(clock):
    """A site without records."""
    with FakeSageX3(clock=clock) as fake:
        fake.keep_bodies = True
        yield fake


@pytest.fixture(name="api")
def _api(erp):
    """Asks the site; question and answer are checked against the oracle."""
    with client(erp) as http:
        yield asking(erp, http)


@pytest.fixture(name="raw")
def _raw(erp):
    """Asks the site what nobody should ask."""
    with client(erp) as http:
        yield asking_anything(http)


def save_the_first_customer(erp):
    """The customer of the recorded shapes."""
    erp.site.put("BPCUSTOMER", {
        "BPCNUM": "0001", "BPCNAM": "Alpine Cycles SARL", "BPCSHO": "ALPINE", "BCGCOD": "FR", "BPCSTA": 2, "BPCTYP": 1,
        "PPTFLG": 1, "CUR": "EUR", "BPCINV": "0001", "BPAINV": "F01", "BPCPYR": "0001", "BPAADD": "A01",
        "CNTNAM": "C000012", "REP": ["SR01", ""], "CREDATTIM": datetime(2021, 5, 3, 7, 11, tzinfo=UTC),
        "UPDDATTIM": SAVED, "CREDAT": date(2021, 5, 3), "UPDDAT": SAVED.date(), "CREUSR": "ADMIN", "UPDUSR": "JDOE",
        "AUUID": UUID("6bc5644d-0000-4dcf-93ef-c388dab85ff8"),
    })  # fmt: skip


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["BPCUSTOMER", "BPARTNER", "BPADDRESS", "BPSUPPLIER", "SORDER", "ITMMASTER"])
def test_columns_are_those_of_real_installations(table):
    """Every column is there in a real database with the same length, occurrences and kind of value."""
    known = oracle.tables()[table]
    kinds = {"text": "text", "menu": "number", "int": "number", "amount": "number", "day": "time", "moment": "time"}

    ours = {name: (kinds.get(one.kind, one.kind), one.size, one.count) for name, one in TABLES[table].columns.items()}

    lengths = {name: one.get("len", 0) for name, one in known.items() if oracle.kind_of(one) == "text"}
    assert {
        name: (oracle.kind_of(known[name]), lengths.get(name, 0), known[name]["dim"]) for name in ours if name in known
    } == ours


def test_every_row_of_a_made_up_site_fits_the_oracle(clock):
    """Whatever made-up partners and documents hold, lists and details of every class keep to the contract."""
    with FakeSageX3(customers=30, contacts=10, suppliers=8, orders=10, invoices=10, clock=clock) as erp:
        erp.keep_bodies = True
        with client(erp) as http:
            for name, one in erp.representations.items():
                for row in rows(http.get(address(f"/{one.of}", representation=f"{name}.$query", count=500)))[:12]:
                    http.get(f"{erp.base_url}{quote(row['$url'], safe='/$%?=.~')}")
        for call in erp.log:
            oracle.check_api1_exchange(call.request, call.status, call.response_body)

        assert len(erp.log) > 150
        assert {200} == {call.status for call in erp.log}


# -- documented shapes ------------------------------------------------------------------------------------------------


def test_lists_are_paged_as_documented(erp, api):
    """A page, its link to the next and the last page without one are member for member the documented ones."""
    erp.api1.link_host = HOST
    erp.add_representation("BPCUSTOMER", "BPCUSTOMER", "BPCNUM BPCNAM BPCSHO address.POSCOD")
    pages = [oracle.fixture(f"api1_bpcustomer_query_{name}.json") for name in ("page1", "page2_last")]
    for row in (row for page in pages for row in page["$resources"]):
        moment = datetime.fromisoformat(row["$etag"])
        key = erp.add_customer(row["BPCNUM"], name=row["BPCNAM"], POSCOD=row["POSCOD"])
        erp.customers[key].write({"AUUID": UUID(row["$uuid"]), "UPDDATTIM": moment, "BPCSHO": row["BPCSHO"]})

    found = [api("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=2)]
    found.append(api(found[0].json()["$links"]["$next"]["$url"].replace(HOST, erp.base_url)))

    assert pages == [page.json() for page in found]


def test_a_representation_of_the_sites_own_is_as_documented(erp, api):
    """One row of a representation made for the purpose has what four tables know."""
    expected = oracle.fixture("api1_custom_representation_query.json")
    erp.api1.link_host = HOST
    erp.add_representation(
        "YMCBPC",
        "BPCUSTOMER",
        "BPCNUM BPCNAM BPCSTA CUR UPDDATTIM address.POSCOD address.CTY address.SAT address.CRY "
        "ADDLIG1=address.BPAADDLIG#1 ADDLIG2=address.BPAADDLIG#2 address.WEB#1 address.WEB#2 address.TEL#1 "
        "partner.BPRFBDMAG partner.LAN person.CNTFNA person.CNTLNA person.CNTWEB person.CNTFBDMAG",
    )
    place = {"POSCOD": "38000", "CTY": "GRENOBLE", "CRY": "FR", "BPAADDLIG": "12 rue des Arts", "LAN": "FRA"}
    erp.add_customer(
        "0001",
        name="Alpine Cycles SARL",
        email="contact@alpine.example",
        first="Léa",
        last="Martin",
        person_email="lea@alpine.example",
        TEL="+33 4 00 00 00 00",
        **place,
    )
    row = expected["$resources"][0]
    erp.customers["0001"].write({"AUUID": UUID(row["$uuid"]), "UPDDATTIM": SAVED})

    found = api(
        "/BPCUSTOMER",
        representation="YMCBPC.$query",
        count=100,
        where="UPDDATTIM ge @2026-01-18T08:10:00Z@",
        orderBy="UPDDATTIM,BPCNUM",
    )

    assert without(expected, "$title") == without(found.json(), "$title")


def test_details_have_what_the_documented_ones_have(erp, api):
    """References stand beside their keys with a title; several occurrences are a list."""
    save_the_first_customer(erp)

    found = api("/BPCUSTOMER('0001')", representation="BPCUSTOMER.$details").json()

    assert oracle.fixture("api1_bpcustomer_details.json").items() <= found.items()


def test_orders_come_with_their_lines(erp, api):
    """The details of an order embed its lines, each with price and quantity."""
    expected = oracle.fixture("api1_sorder_details.json")
    erp.add_customer("0001", name="Alpine Cycles SARL")
    number = erp.add_order(
        "0001",
        [("BIK001", "City bike", 2, "620.25")],
        key=expected["SOHNUM"],
        day=date(2026, 1, 18),
        tax="248.10",
        CUSORDREF="PO-778",
        SHIDAT=date(2026, 1, 22),
    )
    erp.orders[number].write({"AUUID": UUID(expected["$uuid"]), "UPDDATTIM": datetime(2026, 1, 18, 9, tzinfo=UTC)})
    line = expected["SOHSOP"].pop()
    erp.table("SORDERP")[number, 1000]["AUUID"] = UUID(line["$uuid"])

    found = api(f"/SORDER('{number}')", representation="SORDER.$details").json()

    assert {name: one for name, one in expected.items() if name != "SOHSOP"}.items() <= found.items()
    assert 1 == len(found["SOHSOP"])
    assert line.items() <= found["SOHSOP"][0].items()


def test_a_prototype_describes_its_facet(erp, api):
    """The description of a facet names title, type and length of each property."""
    erp.add_representation("BPCUSTOMER", "BPCUSTOMER", "BPCNUM BPCNAM UPDDATTIM")

    found = api("/$prototypes('BPCUSTOMER.$query')").json()

    assert oracle.fixture("api1_prototype_query_facet.json")["$properties"] == found["$properties"]


def test_nothing_found_is_a_list_without_rows(erp, api):
    """A list in which nothing matches has no rows and no links."""
    erp.api1.link_host = HOST

    found = api("/BPCUSTOMER", representation="BPCUSTOMER.$query", where="BPCNUM eq 'NOPE'").json()

    expected = oracle.fixture("api1_query_empty.json")
    assert without(expected, "$url") == without(found, "$url")


def test_a_missing_record_is_an_error_in_a_good_answer(erp, api):
    """Who asks for a record that is not there gets 200 and a diagnosis."""
    reply = api("/BPCUSTOMER('NOPE')", representation="BPCUSTOMER.$details")

    assert 200 == reply.status_code
    assert oracle.fixture("api1_record_not_found_http200.json") == reply.json()


def test_an_unknown_property_is_a_server_error(erp, raw):
    """A predicate on a property that the facet does not have is answered with 500 and says which."""
    reply = raw("/BPCUSTOMER", representation="BPCUSTOMER.$query", where="NOSUCHFIELD eq 'x'")

    assert 500 == reply.status_code
    assert oracle.fixture("api1_error_http500_bad_where.json") == reply.json()


# -- keys and values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["AU/014", "GB 003", "O'HARA", "100%", "Ä-1", "A&B=C"])
def test_odd_codes_are_found_by_their_own_address(erp, api, key):
    """Slashes, blanks and quotes in a code survive the way through the address of its record."""
    erp.add_customer(key)

    path = quote(key.replace("'", "''"), safe="")
    reply = api(f"/BPCUSTOMER('{path}')", representation="BPCUSTOMER.$details")

    assert key == reply.json()["BPCNUM"]


def test_composite_keys_are_joined_with_tildes(erp, api):
    """An address is found by kind of owner, owner and code."""
    erp.add_customer("0001", email="a@example.com")

    assert ["1~0001~A01"] == keys(api("/BPADDRESS", representation="BPADDRESS.$query"))
    found = api("/BPADDRESS('1~0001~A01')", representation="BPADDRESS.$details").json()
    assert ["a@example.com", "", "", "", ""] == found["WEB"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("array", {"WEB": ["a@x.com", "b@x.com", "", "", ""]}),
        ("from zero", {"WEB_0": "a@x.com", "WEB_1": "b@x.com", "WEB_2": "", "WEB_3": "", "WEB_4": ""}),
        ("from one", {"WEB1": "a@x.com", "WEB2": "b@x.com", "WEB3": "", "WEB4": "", "WEB5": ""}),
        ("objects", {"WEB": [{"WEB": "a@x.com"}, {"WEB": "b@x.com"}, {"WEB": ""}, {"WEB": ""}, {"WEB": ""}]}),
    ],
)
def test_several_occurrences_have_four_forms(erp, api, form, expected):
    """A field that occurs several times comes in the form of the site, in lists and in details."""
    erp.add_customer("0001", email=["a@x.com", "b@x.com"])
    erp.add_representation("YADD", "BPADDRESS", "BPANUM WEB")
    erp.api1.looks.query_dimensions = erp.api1.looks.details_dimensions = form

    row = rows(api("/BPADDRESS", representation="YADD.$query"))[0]
    record = api("/BPADDRESS('1~0001~A01')", representation="YADD.$details").json()

    assert expected == {name: value for name, value in row.items() if name.startswith("WEB")}
    assert expected.items() <= record.items()


@pytest.mark.parametrize("form", [None, "", "0000-00-00", "1599-12-31", "1753-01-01", "missing"])
def test_no_date_has_many_forms(erp, raw, form):
    """A day that is not set is null, blank, the database's first day, or not there."""
    erp.add_customer("0001")
    erp.add_representation("YDAY", "BPCUSTOMER", "BPCNUM ORDFIRDAT")
    erp.api1.looks.no_date = form

    row = rows(raw("/BPCUSTOMER", representation="YDAY.$query"))[0]

    assert ("nothing" if form == "missing" else form) == row.get("ORDFIRDAT", "nothing")


def test_texts_may_be_padded(erp, api):
    """On a site that pads, texts are as long as their columns, empty ones too."""
    erp.add_customer("0001", name="Harbor")
    erp.add_representation("YPAD", "BPCUSTOMER", "BPCNUM BPCNAM BCGCOD")
    erp.api1.looks.padded = True

    row = rows(api("/BPCUSTOMER", representation="YPAD.$query"))[0]

    assert ("0001".ljust(15), "Harbor".ljust(35), "     ") == (row["BPCNUM"], row["BPCNAM"], row["BCGCOD"])


def test_malformed_values_go_out_as_they_are(erp, raw):
    """A row can be spoilt for tests of those who read it."""
    erp.add_customer("0001")
    erp.spoil("BPCUSTOMER", "0001", BPCSTA="two", UPDDATTIM="yesterday")

    erp.api1.looks.etags = False
    row = rows(raw("/BPCUSTOMER", representation="YMCBPC.$query"))[0]

    assert ("two", "yesterday") == (row["BPCSTA"], row["UPDDATTIM"])


# -- stamps and saving ------------------------------------------------------------------------------------------------


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
