"""The OData service of a fake SYSPRO: who may ask, what may be asked, and how rows and errors come."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes._syspro import FakeSyspro
from mlconnector_sdk.testing.fakes._syspro_text import JsonStyle

LOGIN = ("SYNC", "odata secret")
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture(name="erp")
def _erp():
    with FakeSyspro() as fake:
        for key, name, limit, sold in (
            ("3", "Carter", 300, None),
            ("1", "O'Hara", "100.4", "2024-05-01"),
            ("2", "Böttcher", 200, "2024-06-01"),
            ("CASH1", "Counter", 0, "2023-01-01"),
        ):
            fake.add_customer(key, name=name, CreditLimit=limit, DateLastSale=sold, DateCustAdded="2020-01-01")
        yield fake


@pytest.fixture(name="get")
def _get(erp):
    """The answer to a request below the root, options without their dollar sign."""
    with httpx.Client(auth=LOGIN) as http:
        yield lambda path="ArCustomer", **options: http.get(
            f"{erp.odata_root}/{path}", params={f"${name}": value for name, value in options.items()}
        )


def keys(answer):
    """The customers of an answer, without padding."""
    assert 200 == answer.status_code, answer.text
    return [row["Customer"].lstrip("0") for row in answer.json()["value"]]


def test_rows_come_with_the_databases_defaults(get):
    """Empty texts hold one blank, fixed texts are padded, missing dates are null, days are local midnights."""
    row = get(filter="Name eq 'Carter'", select="Customer,Email,Currency,State,CreditLimit,DateLastSale").json()

    assert {
        "Customer": "000000000000003",
        "CreditLimit": 300,
        "DateLastSale": None,
        "Currency": "USD",
        "Email": " ",
        "State": "  ",
    } == row["value"][0]
    assert row["@odata.context"].endswith("/$metadata#ArCustomer")
    days = [one["DateLastSale"] for one in get(orderby="Customer").json()["value"]]
    assert ["2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z", None, "2023-01-01T00:00:00Z"] == days


def test_days_begin_at_the_servers_midnight():
    """A day comes with the server's offset at that time of the year, and compares as that instant."""
    with FakeSyspro(zone="Europe/London") as fake, httpx.Client(auth=LOGIN) as http:
        for key, day in (("1", "2024-01-15"), ("2", "2024-06-15")):
            fake.add_customer(key, DateLastSale=day)
        url = f"{fake.odata_root}/ArCustomer"
        summer = {"$filter": "DateLastSale ge 2024-06-14T23:00:00Z", "$select": "DateLastSale"}
        later = {"$filter": "DateLastSale ge 2024-06-15T00:00:00Z"}

        assert [{"DateLastSale": "2024-06-15T00:00:00+01:00"}] == http.get(url, params=summer).json()["value"]
        assert [] == http.get(url, params=later).json()["value"]


def test_forms_of_dates_and_numbers_are_the_sites(erp, get):
    """A site may show plain dates and numbers in quotes; then it compares plain dates."""
    erp.odata.style = JsonStyle("UTC", plain_dates=True, decimals_as_text=True)

    found = get(filter="DateLastSale ge 2024-06-01", select="DateLastSale,CreditLimit").json()["value"]

    assert [{"DateLastSale": "2024-06-01", "CreditLimit": "200"}] == found
    assert 400 == get(filter="DateLastSale ge 2024-06-01T00:00:00Z").status_code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Customer gt '000000000000002'", ["3", "CASH1"]),
        ("Customer ge '000000000000002'", ["2", "3", "CASH1"]),
        ("Customer eq '2'", []),
        ("Customer lt 'CASH1' and Name ne 'Carter'", ["1", "2"]),
        ("Name eq 'O''Hara'", ["1"]),
        ("Email eq ''", ["1", "2", "3", "CASH1"]),
        ("CreditLimit gt 100", ["1", "2", "3"]),
        ("CreditLimit le 100.4", ["1", "CASH1"]),
        ("DateLastSale ge 2024-05-01T00:00:00Z", ["1", "2"]),
        ("DateLastSale ge 2024-05-01T00:00:00+02:00", ["1", "2"]),
        ("DateLastSale gt 2024-05-01T00:00:00.0000000Z", ["2"]),
        ("DateLastSale eq null", ["3"]),
        ("DateLastSale ne null and Customer ne '000000000000001'", ["2", "CASH1"]),
        ("not (DateLastSale ge 2024-05-01T00:00:00Z)", ["CASH1"]),
        ("not DateLastSale ge 2024-05-01T00:00:00Z or CreditLimit eq 300", ["3", "CASH1"]),
        ("startswith(Name,'C')", ["3", "CASH1"]),
        ("endswith(Name, 'er') and contains(Name,'ount')", ["CASH1"]),
        ("Customer eq '000000000000001' or Customer eq 'CASH1' or Customer eq 'NOBODY'", ["1", "CASH1"]),
        ("Customer eq '000000000000001' or Name eq 'Carter'", ["1", "3"]),
        ("(Name eq 'Carter' or CreditLimit gt 0) and Customer gt '000000000000001'", ["2", "3"]),
        ("DateLastSale ge 2024-05-01T00:00:00Z and DateLastSale ge 2024-05-01T00:00:00Z", ["1", "2"]),
    ],
)
def test_filters_select_rows(get, text, expected):
    """Comparisons of columns with literals of their type, `and`, `or`, `not`, brackets and three functions."""
    assert expected == keys(get(filter=text, orderby="Customer"))


@pytest.mark.parametrize(
    "text",
    [
        "LastModifiedDate ge 2024-01-01T00:00:00Z",
        "customer eq 'x'",
        "CreditLimit eq '100'",
        "Customer eq 1",
        "DateLastSale ge '2024-01-01'",
        "DateLastSale ge 2024-01-01",
        "DateLastSale ge datetime'2024-01-01T00:00:00'",
        "DateLastSale ge 2024-02-30T00:00:00Z",
        "DateLastSale ge 2024-01-01T00:00:00",
        "TimeStamp gt 'AAAAAAAB9Bk='",
        "CreditLimit eq 100M",
        "Customer",
        "Customer is 'x'",
        "Customer eq 'x",
        "Customer eq 'x' and",
        "Customer eq",
        "Customer gt null",
        "'x' eq Customer",
        "Customer eq 'x')",
        "(Customer eq 'x'",
        "Customer in ('x')",
        "substringof('x',Name)",
        "tolower(Name) eq 'x'",
        "contains(CreditLimit,'1')",
        "contains(Name,1)",
        "Customer eq 'x' § 1",
    ],
)
def test_filters_that_cannot_be_read_are_refused(get, text):
    """Unknown names, literals of another type and other syntax are answered with 400 and an OData error."""
    answer = get(filter=text)

    assert 400 == answer.status_code
    assert {"code", "message"} == answer.json()["error"].keys()


@pytest.mark.parametrize(
    "options",
    [
        {"$count": "true"},
        {"$expand": "Invoices"},
        {"filter": "Customer eq 'x'"},
        {"$select": "Customer,customer"},
        {"$orderby": "LastModified"},
        {"$orderby": "Customer up"},
        {"$orderby": "TimeStamp"},
        {"$top": "-1"},
        {"$skip": "many"},
    ],
)
def test_options_that_are_not_established_are_refused(erp, options):
    """No option is ignored: it would bring other rows than asked for."""
    assert 400 == httpx.get(f"{erp.odata_root}/ArCustomer", params=options, auth=LOGIN).status_code


def test_an_option_twice_is_refused(erp):
    """An option may come once."""
    assert 400 == httpx.get(f"{erp.odata_root}/ArCustomer?$top=1&$top=2", auth=LOGIN).status_code


def test_rows_are_ordered_and_cut(get):
    """Order, direction, `$top` and `$skip` work together; without order rows come as they lie."""
    assert ["3", "1", "2", "CASH1"] == keys(get())
    assert ["3", "2"] == keys(get(orderby="CreditLimit desc", top=2))
    assert ["1", "3"] == keys(get(orderby="Currency asc,CreditLimit", skip=1, top=3, filter="CreditLimit ne 200"))
    assert ["3", "CASH1"] == keys(get(orderby="DateLastSale", top=2))
    assert [] == keys(get(top=0))
    assert ["1", "2", "3", "CASH1"] == keys(get(select="*", orderby="Customer"))


def test_a_cut_answer_says_nothing_by_default(erp, get):
    """The server's limit makes a short page without a word about the rest."""
    erp.odata.page_cap = 3

    answer = get(orderby="Customer")

    assert ["1", "2", "3"] == keys(answer)
    assert "@odata.nextLink" not in answer.json()


def test_right_links_lead_to_the_end(erp, get):
    """Links to the next rows keep the question, count `$top` down and end with the last row."""
    erp.odata.page_cap, erp.odata.next_links = 2, "right"
    answer = get(orderby="Customer", filter="Customer ne 'X'", top=3)
    link = answer.json()["@odata.nextLink"]
    rest = httpx.get(link, auth=LOGIN)

    assert ["1", "2"] == keys(answer)
    assert ["3"] == keys(rest)
    assert "@odata.nextLink" not in rest.json()
    assert "@odata.nextLink" not in get(top=2).json()
    assert "@odata.nextLink" in get().json()


@pytest.mark.parametrize(("kind", "host", "filtered"), [("other host", False, True), ("without filter", True, False)])
def test_wrong_links_mislead(erp, get, kind, host, filtered):
    """A link may name a host out of reach, or have lost the filter."""
    erp.odata.page_cap, erp.odata.next_links = 1, kind

    link = urlsplit(get(filter="CreditLimit gt 0", orderby="Customer").json()["@odata.nextLink"])

    assert host == (f"http://{link.netloc}" == erp.url)
    assert filtered == ("$filter" in dict(parse_qsl(link.query)))


def test_the_metadata_tells_tables_and_types(erp, get):
    """Every table is an entity set whose type has a key and columns with their types."""
    erp.add_form_field("ArCustomer+", "OptIn", "c1")
    root = ET.fromstring(get("$metadata").content)
    sets = {one.get("Name") for one in root.iter(f"{EDM}EntitySet")}
    kind = next(one for one in root.iter(f"{EDM}EntityType") if one.get("Name") == "ArCustomerRow")
    types = {one.get("Name"): one.get("Type") for one in kind.iter(f"{EDM}Property")}

    assert {"ArCustomer", "ArCustomerPlus", "ArTrnDetail", "ApSupplier"} <= sets
    assert "Contact" not in sets
    assert ["Customer"] == [one.get("Name") for one in kind.iter(f"{EDM}PropertyRef")]
    assert ("Edm.String", "Edm.Decimal", "Edm.DateTimeOffset", "Edm.Binary") == tuple(
        types[name] for name in ("Email", "CreditLimit", "DateLastSale", "TimeStamp")
    )
    listed = {one["name"] for one in get("").json()["value"]}
    assert sets == listed


def test_names_of_entity_sets_are_the_sites(erp, get):
    """Sets may be plural, a custom form's plus may be anything, and a view may show a table."""
    erp.odata.plural, erp.odata.form_suffix = True, "_"
    erp.odata.views["vContacts"] = "Contact"
    erp.add_contact(email="jo@anvil.com")

    assert 404 == get("ArCustomer").status_code
    assert 4 == len(get("ArCustomers").json()["value"])
    assert [] == get("ArCustomer_s").json()["value"]
    assert ["jo@anvil.com"] == [row["Email"] for row in get("vContacts", select="Email").json()["value"]]


def test_rowversions_are_opaque_and_move_with_every_write(erp, get):
    """The stamp is eight bytes in base64; any change of a row moves it, and a site may not show it at all."""

    def stamps():
        return {row["Customer"]: row["TimeStamp"] for row in get(select="Customer,TimeStamp").json()["value"]}

    before = stamps()
    erp.customers["000000000000001"]["InvoiceCount"] = 5
    after = stamps()

    assert all(len(stamp) == 12 for stamp in before.values())
    assert {"000000000000001"} == {key for key in before if before[key] != after[key]}
    erp.odata.shows_timestamp = False
    assert 400 == get(select="TimeStamp").status_code
    assert "TimeStamp" not in get().json()["value"][0]


def test_what_the_operator_may_not_see_is_not_there(erp, get):
    """Hidden tables are missing like unknown ones, hidden columns like unknown properties."""
    erp.unlicense("ApSupplier")
    erp.hide_columns("ArCustomer", "Email")

    for name in ("ApSupplier", "arcustomer", "ArCustomer('1')", "NoTable"):
        answer = get(name)
        assert 404 == answer.status_code
        assert answer.headers["content-type"].startswith("text/html")
    assert b"ApSupplierRow" not in get("$metadata").content
    assert 400 == get(select="Email").status_code


@pytest.mark.parametrize("login", [("SYNC", "secret"), ("sync", "odata secret"), ("SYNC", ""), None])
def test_others_are_turned_away(erp, login):
    """The operator's own password, another spelling or nobody get 401 as a page."""
    answer = httpx.get(f"{erp.odata_root}/ArCustomer", auth=login)

    assert 401 == answer.status_code
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "<html" in answer.text


@pytest.mark.parametrize("token", ["Basic ???", "Basic /w==", "Bearer abc"])
def test_a_damaged_header_is_no_login(erp, token):
    """What is no Basic header is nobody."""
    assert 401 == httpx.get(f"{erp.odata_root}/", headers={"Authorization": token}).status_code


def test_a_locked_operator_is_turned_away(erp, get):
    """Locking the operator shuts OData as well."""
    erp.lock_operator()

    assert 401 == get().status_code


def test_the_login_can_be_another_one():
    """User name and password of OData are settings of their own."""
    with FakeSyspro(odata_username="BI", odata_password="p:ä") as fake:
        url = f"{fake.odata_root}/ArCustomer"
        assert 200 == httpx.get(url, auth=httpx.BasicAuth("BI", "p:ä")).status_code


def test_the_service_reads_only(erp):
    """Verbs other than GET are refused, and stand on the list of writes."""
    assert 405 == httpx.post(f"{erp.odata_root}/ArCustomer", json={}, auth=LOGIN).status_code
    assert 1 == len(erp.writes)


def test_the_service_speaks_json(erp):
    """Who takes no JSON gets nothing; who takes anything gets JSON."""
    url = f"{erp.odata_root}/ArCustomer"

    assert 406 == httpx.get(url, auth=LOGIN, headers={"Accept": "application/xml"}).status_code
    assert 200 == httpx.get(url, auth=LOGIN, headers={"Accept": "application/json"}).status_code


def test_long_queries_never_reach_the_service(get):
    """IIS lets no more than 2,048 characters of a query through."""
    text = " or ".join(f"Customer eq '{number:015d}'" for number in range(100))

    assert 404 == get(filter=text).status_code


def test_a_malformed_value_is_shown_as_it_is(erp, get):
    """A value that does not fit its column comes as text, and matches no comparison."""
    erp.edit("ArCustomer", "1", CreditLimit="n/a", DateLastSale="soon")

    row = get(filter="Customer eq '000000000000001'", select="CreditLimit,DateLastSale").json()["value"][0]

    assert {"CreditLimit": "n/a", "DateLastSale": "soon"} == row
    assert ["2"] == keys(get(filter="DateLastSale ge 2024-01-01T00:00:00Z"))


@pytest.mark.parametrize(
    ("delta_type", "edm", "literal"),
    [
        ("counter", "Edm.Int64", "{}"),
        ("moment", "Edm.DateTimeOffset", "{}"),
        ("day", "Edm.DateTimeOffset", "{}"),
    ],
)
def test_a_sites_change_column_moves_on(delta_type, edm, literal):
    """A column that the site added follows the rowversion or the clock, and can be filtered and sorted by."""
    clock = FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    with (
        FakeSyspro(delta_column="ChangedOn", delta_type=delta_type, clock=clock) as fake,
        httpx.Client(auth=LOGIN, base_url=fake.odata_root) as http,
    ):
        fake.add_customer("1")
        fake.add_customer("2")
        clock.advance(days=1)
        fake.edit("ArCustomer", "1", Name="Moved")
        metadata = http.get("/$metadata").text
        rows = http.get("/ArCustomer", params={"$orderby": "ChangedOn"}).json()["value"]
        mark = literal.format(rows[-1]["ChangedOn"])
        since = http.get("/ArCustomer", params={"$filter": f"ChangedOn ge {mark}", "$orderby": "ChangedOn"})

    assert f'Name="ChangedOn" Type="{edm}"' in metadata
    assert ["000000000000002", "000000000000001"] == [row["Customer"] for row in rows]
    assert ["1"] == keys(since)


def test_the_change_column_may_be_a_plain_date(erp):
    """Where days are plain dates, so is a change column of days."""
    with FakeSyspro(delta_column="ChangedOn", delta_type="day") as fake:
        fake.odata.style = JsonStyle("UTC", plain_dates=True)
        fake.add_customer("1")
        day = fake.present().date().isoformat()
        answer = httpx.get(f"{fake.odata_root}/ArCustomer?$filter=ChangedOn ge {day}", auth=LOGIN)

    assert [day] == [row["ChangedOn"] for row in answer.json()["value"]]
