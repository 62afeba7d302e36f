"""The fake Sage X3 against the columns of real installations and the documented shape of api1's answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import quote
from uuid import UUID

import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from mlconnector_sdk.testing.fakes._sagex3_tables import TABLES
from tests.contracts import _sagex3_oracle as oracle
from tests.unit.testing._sagex3_asking import NOW, SAVED, address, asking, client, rows, without

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

        def ask(path, **parameters):
            reply = http.get(address(path, **parameters))
            entry = erp.log[-1]
            oracle.check_api1_exchange(entry.request, entry.status, entry.response_body)
            return reply

        yield ask


@pytest.fixture(name="raw")
def _raw(erp):
    """Asks the site what nobody should ask."""
    with client(erp) as http:
        yield asking(http)


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
