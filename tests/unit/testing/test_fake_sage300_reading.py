"""Queries, pages, keys and the look of rows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mlconnector_sdk.testing.fakes._sage300 import FakeSage300

NOW = datetime(2024, 6, 1, 18, tzinfo=UTC)
NAMES = ("1100", "1105", "BARINV", "ÖLTD", "zebra")


@pytest.fixture(name="erp")
def _erp():
    """A fake with five customers."""
    with FakeSage300(clock=lambda: NOW) as fake:
        for number, key in enumerate(NAMES, start=1):
            fake.add_customer(
                key,
                name=f"Customer {number}",
                City="San Francisco" if number % 2 else "",
                DateLastMaintained=date(2024, 5, number),
                BalanceDueInCustomerCurrency=Decimal(number) * Decimal("10.5"),
                DaysOverdue=number,
                SuppressIntegration=number == 1,
            )
        yield fake


@pytest.fixture(name="client")
def _client(erp):
    """A client of the A/R module."""
    with httpx.Client(
        base_url=f"{erp.company_url}/AR", auth=("ADMIN", "ADMIN"), headers={"Content-Type": "application/json"}
    ) as http:
        yield http


def ask(client, resource="ARCustomers", **options):
    """A list, with query options without their `$`."""
    return client.get(f"/{resource}", params={f"${name}": str(value) for name, value in options.items()})


def keys(answer):
    """Customer numbers of an answer, in its order."""
    assert 200 == answer.status_code, answer.text
    return [row["CustomerNumber"] for row in answer.json()["value"]]


# -- filters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CustomerNumber eq '1105'", "1105"),
        ("CustomerNumber eq 'barinv  '", "BARINV"),
        ("CustomerNumber gt '1105'", "BARINV ZEBRA ÖLTD"),
        ("CustomerName eq 'Customer 1' or CustomerName eq 'Customer 5'", "1100 ZEBRA"),
        ("City eq 'SAN FRANCISCO' and DateLastMaintained ge 2024-05-03T00:00:00Z", "BARINV ZEBRA"),
        ("DateLastMaintained gt 2024-05-03T00:00:00Z", "ZEBRA ÖLTD"),
        ("DateLastMaintained gt 2024-05-02T12:00:00Z", "BARINV ZEBRA ÖLTD"),
        ("DateLastMaintained lt 2024-05-02T00:00:00Z", "1100"),
        ("DateLastMaintained le 2024-05-02T00:00:00Z", "1100 1105"),
        ("BalanceDueInCustomerCurrency gt 31.5", "ZEBRA ÖLTD"),
        ("BalanceDueInCustomerCurrency ge 31.50", "BARINV ZEBRA ÖLTD"),
        ("DaysOverdue ne 2", "1100 BARINV ZEBRA ÖLTD"),
        ("SuppressIntegration eq true", "1100"),
        ("SuppressIntegration ne true", "1105 BARINV ZEBRA ÖLTD"),
        ("AccountType eq 'OpenItem' and DaysOverdue eq 1", "1100"),
        ("AccountType eq '7'", ""),
        ("startswith(CustomerNumber,'bar')", "BARINV"),
        ("endswith(CustomerNumber,'05')", "1105"),
        ("length(CustomerNumber) gt 4", "BARINV ZEBRA"),
        ("(City eq '' or DaysOverdue eq 1)", "1100 1105 ÖLTD"),
        ("City eq '' and (DaysOverdue eq 2 or DaysOverdue eq 3)", "1105"),
        ("DaysOverdue eq 1 or DaysOverdue eq 2 and City eq ''", "1100 1105"),
    ],
)
def test_filters_select_as_odata_and_the_collation_have_it(client, text, expected):
    """Operators, functions and literals of OData V4 select rows; texts compare without case and trailing blanks."""
    assert expected.split() == keys(ask(client, filter=text))


@pytest.mark.parametrize(
    "text",
    [
        "DocumentDate ge 2024-01-01T00:00:00Z",
        "customernumber eq '1'",
        "DateLastMaintained ge datetime'2024-01-01T00:00:00'",
        "DateLastMaintained ge '2024-01-01T00:00:00Z'",
        "DateLastMaintained ge 2024-01-01",
        "DateLastMaintained ge 2024-01-01T00:00:00",
        "DateLastMaintained ge 2024-01-01T00:00:00+00:00",
        "DateLastMaintained ge null",
        "BalanceDueInCustomerCurrency gt 30m",
        "BalanceDueInCustomerCurrency gt '30'",
        "CustomerNumber eq 1100",
        "OnHold eq false",
        "OnHold eq 'no'",
        "OnHold gt 'No'",
        "SuppressIntegration eq 'No'",
        "SuppressIntegration gt false",
        "contains(CustomerNumber,'BAR')",
        "substringof('BAR',CustomerNumber)",
        "length(DaysOverdue) gt 1",
        "length(CustomerNumber) like 1",
        "startswith(CustomerNumber,5)",
        "startswith('BAR',CustomerNumber)",
        "not (City eq '')",
        "'1100' eq CustomerNumber",
        "City eq CustomerNumber",
        "(City eq ''",
        "City eq '')",
        "City eq ''and DaysOverdue eq 1 and",
        "City like 'x'",
        "City",
        "CustomerOptionalFieldValues eq 'x'",
        "CustomerOptionalFieldValues/any(o: o/Value eq 'x')",
        "Ci ty eq #",
        "",
    ],
)
def test_filters_nobody_has_seen_working_are_refused(client, text):
    """The syntax of V3, other types, unknown names and unproven functions give 400 in the library's form."""
    answer = ask(client, filter=text)
    assert (400, "") == (answer.status_code, answer.json()["error"]["code"])
    assert isinstance(answer.json()["error"]["message"], str)


def test_bad_queries_may_have_the_vendors_form(erp, client):
    """A site may answer bad queries with `InvalidParameters`."""
    erp.library_errors = False
    assert "InvalidParameters" == ask(client, filter="Nothing eq 1").json()["error"]["code"]


def test_empty_dates_are_selected_by_no_date(erp, client):
    """A row without a stamp is in no window, and unequal to every date."""
    erp.customers["1100"]["DateLastMaintained"] = None
    assert "1100" not in keys(ask(client, filter="DateLastMaintained ge 1900-01-01T00:00:00Z"))
    assert "1100" in keys(ask(client, filter="DateLastMaintained ne 1900-01-01T00:00:00Z"))


def test_a_number_that_is_none_is_compared_with_nothing(erp, client):
    """A spoilt amount is in no range."""
    erp.customers["1100"]["BalanceDueInCustomerCurrency"] = "many"
    assert "1100" not in keys(ask(client, filter="BalanceDueInCustomerCurrency ge 0"))


def test_a_site_may_limit_the_nodes_of_a_filter(erp, client):
    """A comparison counts three nodes, a function too, and so many and no more are taken."""
    erp.filter_node_limit = 7
    assert 200 == ask(client, filter="City eq '' or startswith(City,'S')").status_code
    assert 400 == ask(client, filter="City eq '' or City eq 'x' and City eq 'y'").status_code


def test_a_filter_sees_changes_at_once(erp, client):
    """Records changed in place, added and deleted count in the next answer."""
    text = "City eq 'Truro'"
    assert [] == keys(ask(client, filter=text))
    erp.customers["1105"]["City"] = "Truro"
    assert ["1105"] == keys(ask(client, filter=text))
    erp.delete("ARCustomers", "1105")
    assert [] == keys(ask(client, filter=text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text("ab'1 (),", max_size=12))
def test_any_text_survives_doubled_quotes(erp, client, name):
    """A literal with its quotes doubled finds the value it stands for."""
    erp.customers["1100"]["CustomerName"] = name
    assert ["1100"] == keys(ask(client, filter="CustomerName eq '{}'".format(name.replace("'", "''"))))


# -- options and pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "$orderby=CustomerNumber",
        "$expand=CustomerOptionalFieldValues",
        "$search=x",
        "$apply=x",
        "$inlinecount=allpages",
        "$format=json",
        "$skiptoken=1",
        "top=1",
        "$Top=1",
        "$top=1&$top=2",
    ],
)
def test_other_options_are_refused(client, query):
    """Options outside the five, and an option given twice, are `InvalidParameters`."""
    answer = client.get(f"/ARCustomers?{query}")
    assert (400, "InvalidParameters") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("query", ["$top=-1", "$top=x", "$skip=1.5", "$count=yes", "$select=", "$select=*"])
def test_options_must_have_good_values(client, query):
    """Numbers are whole, counts are true or false, and selections name properties."""
    assert 400 == client.get(f"/ARCustomers?{query}").status_code


def test_rows_come_in_key_order_however_they_were_added():
    """A list runs in the order of its key: texts as the collation sorts them, numbers by value."""
    with FakeSage300() as erp:
        for key in ("b2", "A10", "A9", "0100"):
            erp.add_customer(key)
        for number in (10, 9, 100):
            erp.add_order("A9", key=number, date=date(2024, 1, 200 // number))
        read = {"auth": ("ADMIN", "ADMIN"), "headers": {"Content-Type": "application/json"}}
        assert ["0100", "A10", "A9", "B2"] == keys(httpx.get(f"{erp.company_url}/AR/ARCustomers", **read))
        orders = httpx.get(f"{erp.company_url}/OE/OEOrders", **read).json()["value"]
        assert [9, 10, 100] == [row["OrderUniquifier"] for row in orders]


def test_the_server_caps_pages(erp, client):
    """A page has at the most as many rows as the administrator set, whatever is asked for."""
    erp.page_cap = 2
    assert 2 == len(keys(ask(client)))
    assert 2 == len(keys(ask(client, top=500)))
    assert 1 == len(keys(ask(client, top=1)))
    assert [] == keys(ask(client, top=0))


def test_a_next_link_means_more(erp, client):
    """Every page but the last has a next link; it names another host and `$skip`, and has lost the rest."""
    erp.page_cap = 2
    seen, skip = [], 0
    while True:
        answer = ask(client, skip=skip, select="CustomerNumber", filter="DaysOverdue lt 5").json()
        seen += [row["CustomerNumber"] for row in answer["value"]]
        skip += len(answer["value"])
        if "@odata.nextLink" not in answer:
            break
        link = urlsplit(answer["@odata.nextLink"])
        assert ("localhost", f"$skip={skip}") == (link.netloc, link.query)
    assert ["1100", "1105", "BARINV", "ÖLTD"] == seen


def test_next_links_may_be_true(erp, client):
    """A site may name itself and keep the other options in its links."""
    erp.page_cap = 2
    erp.believed_host = erp.url
    erp.link_keeps_query = True
    first = client.get("/ARCustomers?$filter=DaysOverdue lt 5&$skip=1&$select=CustomerNumber").json()
    second = client.get(first["@odata.nextLink"])
    assert ["ÖLTD"] == keys(second)


def test_a_page_filled_by_top_may_lack_the_link(erp, client):
    """Whether a link follows a page with all rows that were asked for differs by site; a capped page always has it."""
    assert "@odata.nextLink" in ask(client, top=2).json()
    erp.link_after_top = False
    assert "@odata.nextLink" not in ask(client, top=2).json()
    erp.page_cap = 2
    assert "@odata.nextLink" in ask(client, top=3).json()
    assert "@odata.nextLink" in ask(client).json()


def test_past_the_end_there_is_nothing(client):
    """A page beyond the last row is empty and leads nowhere."""
    answer = ask(client, skip=99).json()
    assert ([], False) == (answer["value"], "@odata.nextLink" in answer)


@pytest.mark.parametrize(("form", "expected"), [("number", 3), ("text", "3"), (None, None)])
def test_counts_come_in_the_form_of_the_site(erp, client, form, expected):
    """A count is of all rows the filter selects, as a number, as text, or not at all."""
    erp.count_form = form
    answer = ask(client, count="true", top=1, filter="City eq 'San Francisco'").json()
    assert expected == answer.get("@odata.count")
    assert "@odata.count" not in ask(client, count="false").json()


# -- rows ---------------------------------------------------------------------------------------------------------


def test_a_selection_shows_what_it_names(client):
    """Selected properties come alone and in the order asked for, and the context names them."""
    answer = ask(client, select="City,CustomerNumber,CustomerOptionalFieldValues", top=1).json()
    expected = {"City": "San Francisco", "CustomerNumber": "1100", "CustomerOptionalFieldValues": []}
    assert [*expected.items()] == [*answer["value"][0].items()]
    assert answer["@odata.context"].endswith("#ARCustomers(City,CustomerNumber,CustomerOptionalFieldValues)")


def test_empty_fields_have_the_wires_own_emptiness(client):
    """Empty texts are texts, empty dates null, empty amounts zero, empty choices their first member."""
    row = ask(client, top=1).json()["value"][0]
    assert ("", None, 0, "No", []) == (
        row["AddressLine2"],
        row["InactiveDate"],
        row["AmountPastDue"],
        row["AllowWebStoreShopping"],
        row["CustomerOptionalFieldValues"],
    )
    assert ["UpdateOperation", "Warnings"] == list(row)[-2:]


def test_flags_and_choices_look_different_by_module(erp, client):
    """On hold is a word on customers and a boolean on orders; items are active when their status is false."""
    erp.add_order("1100", OnHold=True)
    erp.put("ICItems", {"UnformattedItemNumber": "A11030", "ItemNumber": "A1-103/0"})
    erp.edit("ARCustomers", "1100", OnHold="Yes")
    erp.customers["1100"]["AccountType"] = "4"
    row = ask(client, top=1).json()["value"][0]
    assert ("Yes", "4") == (row["OnHold"], row["AccountType"])
    assert True is client.get(f"{erp.company_url}/OE/OEOrders(1)").json()["OnHold"]
    assert False is client.get(f"{erp.company_url}/IC/ICItems('a11030')").json()["Status"]


def test_texts_may_be_padded(erp, client):
    """With padding each text has the width of its column, keys and details included."""
    erp.manner.padded = True
    erp.edit("ARCustomers", "1100", CustomerOptionalFieldValues=[{"OptionalField": "UPSZONE", "Value": "RED"}])
    row = ask(client, top=1).json()["value"][0]
    assert ("1100".ljust(12), "Customer 1".ljust(60)) == (row["CustomerNumber"], row["CustomerName"])
    assert "UPSZONE".ljust(12) == row["CustomerOptionalFieldValues"][0]["OptionalField"]
    assert "Active" == row["Status"]


def test_dates_are_midnights_with_a_z_or_without(erp, client):
    """Dates carry no time of day; a site may leave the `Z` away and show empty dates as a zero."""
    assert "2024-05-01T00:00:00Z" == ask(client, top=1).json()["value"][0]["DateLastMaintained"]
    erp.manner.date_suffix = ""
    erp.manner.empty_date = "0001-01-01T00:00:00"
    erp.customers["1100"]["InactiveDate"] = None
    row = ask(client, top=1).json()["value"][0]
    assert ("2024-05-01T00:00:00", "0001-01-01T00:00:00") == (row["DateLastMaintained"], row["InactiveDate"])
    assert "0001-01-01T00:00:00" == row["StartDate"]


def test_any_value_can_be_put_in_place(erp, client):
    """A test may spoil a record with a value of another type, and it is shown and still found by its window."""
    erp.customers["1100"]["DateLastMaintained"] = "yesterday"
    erp.customers["1100"]["Email"] = 5
    answer = ask(client, filter="DateLastMaintained ge 2024-06-01T00:00:00Z").json()["value"]
    assert [("yesterday", 5)] == [(row["DateLastMaintained"], row["Email"]) for row in answer]


def test_a_value_no_answer_can_hold_fails_loudly(erp, client):
    """A record spoilt with a value that JSON cannot carry is the fake's own failure, and says so."""
    erp.customers["1100"]["Email"] = object()
    assert 599 == ask(client).status_code


# -- single entries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["('1100')", "(CustomerNumber='1100')", "('1100  ')"])
def test_an_entry_is_the_object_itself(client, key):
    """An entry by plain or named key has no `value` around it."""
    answer = client.get(f"/ARCustomers{key}").json()
    assert "1100" == answer["CustomerNumber"]
    assert answer["@odata.context"].endswith("$metadata#ARCustomers/$entity")


def test_an_entry_may_be_cut_down(client):
    """A selection works on entries as it does on lists."""
    answer = client.get("/ARCustomers('1100')?$select=CustomerName").json()
    assert "Customer 1" == answer.pop("CustomerName")
    assert ["@odata.context"] == list(answer)


def test_quotes_in_keys_are_doubled(erp, client):
    """A key with an apostrophe is found by its doubled form."""
    erp.add_customer("O'NEIL")
    assert "O'NEIL" == client.get("/ARCustomers('O''NEIL')").json()["CustomerNumber"]


def test_composite_keys_are_named(erp, client):
    """A ship-to location is found by both parts with their names, in any order, and by nothing less."""
    assert ("1100", "OFFICE") == erp.add_ship_to("1100", "office", email="goods@harbor-pumps.com")
    named = "(ShipToLocationKey='OFFICE',CustomerNumber='1100')"
    assert "goods@harbor-pumps.com" == client.get(f"/ARShipToLocations{named}").json()["Email"]
    for wrong in ("('1100','OFFICE')", "('1100')", "(CustomerNumber='1100')"):
        answer = client.get(f"/ARShipToLocations{wrong}")
        assert (400, "InvalidEntityKey") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("key", ["()", "(1100)", "('1100',)", "('1100'x)", "(Name='1100')", "('1100','1100')"])
def test_a_malformed_key_is_refused(client, key):
    """Keys of the wrong form or type are `InvalidEntityKey`."""
    answer = client.get(f"/ARCustomers{key}")
    assert (400, "InvalidEntityKey") == (answer.status_code, answer.json()["error"]["code"])


def test_a_key_that_is_not_there_is_not_found(erp, client):
    """A deleted record gives 404 with the vendor's code."""
    erp.delete("ARCustomers", "1100")
    answer = client.get("/ARCustomers('1100')")
    assert (404, "RecordNotFound") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("query", ["$top=1", "$filter=City eq ''", "$count=true"])
def test_an_entry_takes_no_options_of_lists(client, query):
    """Options of lists on a single entry are refused."""
    assert 400 == client.get(f"/ARCustomers('1100')?{query}").status_code


# -- what a release has -------------------------------------------------------------------------------------------


def _properties(answer, type_name):
    root = ET.fromstring(answer.content)
    found = next(e for e in root.iter() if e.tag.endswith("EntityType") and e.get("Name") == type_name)
    return {e.get("Name"): e.get("Type") for e in found if e.tag.endswith("}Property")}


def test_metadata_names_what_answers_show(client):
    """The properties in `$metadata` are those of an answer, in the same order."""
    assert list(ask(client, top=1).json()["value"][0]) == list(_properties(client.get("/$metadata"), "Customer"))
    assert 400 == client.get("/$metadata?$format=json").status_code


def test_properties_can_be_missing_renamed_and_added(erp, client):
    """A site's own properties hold in answers, queries and `$metadata` alike."""
    erp.hide_property("ARCustomers", "WebSite")
    erp.rename_property("ARCustomers", "DateLastMaintained", "DateLastMaintd")
    erp.add_property("ARCustomers", "XMarketing", "No|Yes")
    erp.edit("ARCustomers", "1105", XMarketing="Yes", DateLastMaintained=date(2024, 5, 31))
    shown = _properties(client.get("/$metadata"), "Customer")
    assert (False, False, True) == ("WebSite" in shown, "DateLastMaintained" in shown, "DateLastMaintd" in shown)
    assert shown["XMarketing"].endswith(".CustomerXMarketing")
    assert ["1105"] == keys(ask(client, filter="XMarketing eq 'Yes'"))
    assert ["1105"] == keys(ask(client, filter="DateLastMaintd gt 2024-05-30T00:00:00Z"))
    assert 400 == ask(client, filter="DateLastMaintained gt 2024-05-30T00:00:00Z").status_code
    assert 400 == ask(client, select="WebSite").status_code


def test_a_renamed_key_is_still_the_key(erp, client):
    """`$metadata` names the key as the release spells it."""
    erp.rename_property("ARCustomers", "CustomerNumber", "CustomerNo")
    root = ET.fromstring(client.get("/$metadata").content)
    refs = [e.get("Name") for e in root.iter() if e.tag.endswith("PropertyRef")]
    assert "CustomerNo" in refs
    assert 200 == client.get("/ARCustomers('1100')").status_code


def test_the_date_header_tells_the_servers_time(client):
    """Answers carry the present of the fake's clock."""
    assert "Sat, 01 Jun 2024 18:00:00 GMT" == ask(client).headers["date"]
