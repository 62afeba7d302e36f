"""The fake Sage 300 against the vendor's contracts and recorded shapes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from mlconnector_sdk.testing.fakes._sage300 import FakeSage300
from mlconnector_sdk.testing.fakes._sage300_tables import RESOURCES
from tests.contracts import _sage300_oracle as oracle

NOW = datetime(2024, 6, 1, 18, tzinfo=UTC)
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


@pytest.fixture(scope="module", name="erp")
def _erp():
    """A fake with some made-up records."""
    with FakeSage300(customers=60, contacts=40, vendors=8, orders=60, invoices=40, clock=lambda: NOW) as fake:
        yield fake


@pytest.fixture(scope="module", name="client")
def _client(erp):
    """A client that signs in with each request."""
    with httpx.Client(base_url=erp.company_url, auth=("ADMIN", "ADMIN"), headers=HEADERS) as http:
        yield http


def fixture(name: str) -> Any:
    """A sample of the vendor specification."""
    folder = oracle.spec_folder()
    assert folder is not None
    text = Path(folder, "fixtures", name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else text


def kind_of(value: Any) -> str:
    """The JSON kind of a value; numbers are one kind, because whole amounts come without a fraction."""
    return "number" if type(value) in {int, float} else type(value).__name__


def misfits(sample: Any, found: Any, path: str = "") -> list[str]:
    """What the sample has and the answer lacks or shows otherwise; null fits a text, which is a date then."""
    if isinstance(sample, dict) and isinstance(found, dict):
        missing = [f"{path}/{name} is missing" for name in sample.keys() - found.keys()]
        return missing + [t for name in sample.keys() & found for t in misfits(sample[name], found[name], name)]
    if isinstance(sample, list) and isinstance(found, list):
        return [text for row in found for text in misfits(sample[0], row, f"{path}[]")] if sample else []
    kinds = {kind_of(sample), kind_of(found)}
    return [] if len(kinds) == 1 or kinds == {"str", "NoneType"} else [f"{path}: {sample!r} / {found!r}"]


def checked(response: httpx.Response) -> httpx.Response:
    """The same response, judged by the vendor contract."""
    sent = response.request
    oracle.check_exchange(sent.method, sent.url.raw_path.decode(), sent.content, response.status_code, response.content)
    return response


@pytest.mark.parametrize("version", ["2017.1", "2019.0", "2020.1", "2022.2", "2024.0"])
def test_metadata_of_every_release_names_known_properties_with_their_types(version):
    """No property or type of any module is missing from the contract, in any release."""
    with FakeSage300(version=version) as erp:
        modules = sorted({one.module for one in RESOURCES.values() if one.name in erp.resources})
        for module in modules:
            answer = checked(
                httpx.get(f"{erp.company_url}/{module}/$metadata", auth=("ADMIN", "ADMIN"), headers=HEADERS)
            )
            assert (200, "application/xml") == (answer.status_code, answer.headers["content-type"])


@pytest.mark.parametrize("name", list(RESOURCES))
def test_every_resource_answers_as_the_contract_says(client, name):
    """Lists, counts and selections of every resource pass the judge."""
    place = f"/{name[:2]}/{name}"
    keys = ",".join(RESOURCES[name].keys)
    for query in ("", "?$count=true&$top=3", f"?$select={keys}&$skip=2", "?$top=0"):
        assert 200 == checked(client.get(place + query)).status_code


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("arcustomers_page.json", "/AR/ARCustomers?$count=true&$top=2"),
        ("arcustomers_last_page.json", "/AR/ARCustomers?$count=true&$skip=59"),
        ("arcustomers_empty.json", "/AR/ARCustomers?$count=true&$filter=City eq 'Nowhere'"),
        ("mtcontacts_page_names_inferred.json", "/MT/MTContacts?$skip=30"),
        ("oeorders_page.json", "/OE/OEOrders?$count=true&$skip=10"),
        (
            "oeinvoices_select_page.json",
            "/OE/OEInvoices?$select=InvoiceDate,InvoiceNumber,CustomerNumber,OrderNumber&$top=3",
        ),
    ],
)
def test_lists_have_the_keys_and_kinds_of_the_sample(client, name, place):
    """A list has the envelope of the sample, key by key and in its order, and rows with its properties and kinds."""
    sample, answer = fixture(name), checked(client.get(place)).json()
    assert list(sample) == list(answer)
    assert [] == sorted(set(misfits(sample, answer)))


def test_an_entry_has_the_keys_and_kinds_of_the_sample(client, erp):
    """An entry by key is the object itself, with the properties of the sample and its optional fields."""
    key = next(key for key, row in erp.customers.items() if row["CustomerOptionalFieldValues"] and key.isdigit())
    sample, answer = fixture("arcustomer_entry.json"), checked(client.get(f"/AR/ARCustomers('{key}')")).json()
    assert [] == misfits(sample, answer)
    assert sample["@odata.context"].partition("/Sage300")[2] == answer["@odata.context"].partition("/Sage300")[2]


def test_recorded_records_come_out_as_they_went_in():
    """Records of the samples, stored in the fake, are answered value by value as recorded."""
    with FakeSage300() as erp, httpx.Client(base_url=erp.company_url, auth=("ADMIN", "ADMIN"), headers=HEADERS) as http:
        for file, place in (("arcustomers_page.json", "AR/ARCustomers"), ("oeorders_page.json", "OE/OEOrders")):
            sample = fixture(file)["value"]
            for row in sample:
                erp.put(place[3:], {name: _day(value) for name, value in row.items()})
            found = checked(http.get(f"/{place}")).json()["value"]
            for expected, answer in zip(sample, found, strict=True):
                assert expected == {name: value for name, value in answer.items() if name in expected}


def _day(value: Any) -> Any:
    return date.fromisoformat(value[:10]) if isinstance(value, str) and value.endswith("T00:00:00Z") else value


def test_the_recorded_link_is_the_one_given(client):
    """A next link names the host the server believes in and `$skip`, and has lost the selection."""
    recorded = fixture("oeinvoices_select_page.json")["@odata.nextLink"]
    answer = client.get("/OE/OEInvoices?$select=InvoiceDate,InvoiceNumber,CustomerNumber,OrderNumber&$top=3").json()
    assert recorded == answer["@odata.nextLink"]


def _ask_for_trouble(erp: FakeSage300, name: str) -> httpx.Response:
    """The request that brings the error of a sample about."""
    url, password = f"{erp.company_url}/AR/ARCustomers", "ADMIN"
    if name == "error_unauthorized_401.json":
        password = "WRONG"
    elif name == "error_forbidden_403.json":
        erp.forbid("AR")
    elif name == "error_record_not_found_404.json":
        url += "('NOBODY')"
    elif name == "error_invalid_parameters_400.json":
        url += "?$orderby=CustomerNumber"
    elif name == "error_odata_library_shape_400.json":
        url = f"{erp.company_url}/OE/OEOrders?$filter=DocumentDate ge 2024-01-01T00:00:00Z"
    elif name == "error_day_end_409.json":
        erp.day_end(module="AR")
    elif name == "error_record_duplicate_409.json":
        erp.refuse("RecordDuplicate")
    elif name == "error_too_many_requests_429.json":
        erp.concurrent = 0
    return httpx.get(url, auth=("ADMIN", password), headers=HEADERS)


@pytest.mark.parametrize(
    "name",
    [
        "error_unauthorized_401.json",
        "error_forbidden_403.json",
        "error_record_not_found_404.json",
        "error_invalid_parameters_400.json",
        "error_odata_library_shape_400.json",
        "error_day_end_409.json",
        "error_record_duplicate_409.json",
        "error_too_many_requests_429.json",
    ],
)
def test_errors_have_the_form_of_the_samples(name):
    """Each trouble gives the status and body of its sample; texts differ where the sample's are invented."""
    with FakeSage300() as erp:
        answer = _ask_for_trouble(erp, name)
        sample = fixture(name)
        assert int(Path(name).stem[-3:]) == answer.status_code
        assert [] == misfits(sample, answer.json())
        assert sample["error"]["code"] == answer.json()["error"]["code"]
        if name in {"error_record_not_found_404.json", "error_odata_library_shape_400.json"}:
            assert sample == answer.json()
        if "$orderby" not in str(answer.request.url) and "DocumentDate" not in str(answer.request.url):
            checked(answer)


def test_a_page_of_iis_has_the_form_of_the_sample():
    """A stopped application pool answers with the page of the sample."""
    with FakeSage300() as erp:
        erp.html_error(503)
        answer = httpx.get(f"{erp.company_url}/AR/ARCustomers", auth=("ADMIN", "ADMIN"), headers=HEADERS)
        assert 503 == answer.status_code
        assert fixture("error_iis_503.html").split() == answer.text.split()


def _requests_of_the_vendor() -> list[tuple[str, str]]:
    folder = oracle.spec_folder()
    if folder is None:
        return []
    text = Path(folder, "sage300_webapi.postman_collection.json").read_text(encoding="utf-8")
    return [(one["name"], one["url"]) for one in json.loads(text)["requests"] if one["method"] == "GET"]


@pytest.mark.parametrize(("name", "url"), _requests_of_the_vendor())
def test_the_vendors_own_requests_are_taken(erp, client, name, url):
    """Every reading request of the vendor's collection is answered, and passes the judge."""
    if "1200" not in erp.customers:
        erp.add_customer("1200", name="Black Widow Mart")
    split = urlsplit(url)
    place = split.path.partition("/SAMLTD")[2]
    query = f"?{quote(split.query, safe='$=&,')}" if split.query else ""
    assert (name, 200) == (name, checked(client.get(place + query)).status_code)


@pytest.mark.parametrize(
    "place",
    [
        "/AR/ARCustomers?$orderby=CustomerNumber",
        "/AR/ARCustomers?$expand=CustomerOptionalFieldValues",
        "/AR/ARCustomers?$filter=DocumentDate ge 2024-01-01T00:00:00Z",
        "/AR/ARCustomers?$filter=DateLastMaintained ge '2024-01-01'",
        "/AR/ARCustomers?$filter=DateLastMaintained ge 2024-01-01",
        "/AR/ARCustomers?$filter=DateLastMaintained ge datetime'2024-01-01T00:00:00'",
        "/AR/ARCustomers?$filter=substringof('BAR',CustomerNumber)",
        "/AR/ARCustomers?$filter=OnHold eq false",
        "/AR/ARCustomers?$filter=(City eq 'x'",
        "/OE/OEOrders?$filter=OnHold eq 'No'",
        "/OE/OEOrders?$filter=OrderUniquifier gt '5'",
        "/OE/OEOrders?$select=BillTo",
        "/OE/OEOrders('5')",
        "/AR/OEOrders",
        "/AR/ARShipToLocations('1200','OFFICE')",
        "/AR/ARCustomers?$top=-1",
    ],
)
def test_judge_and_fake_refuse_what_the_contract_does_not_have(client, place):
    """What the judge does not find in the contract, the fake refuses as well."""
    answer = client.get(place)
    assert 400 <= answer.status_code < 500
    with pytest.raises(AssertionError):
        oracle.check_exchange("GET", str(answer.request.url.raw_path, "ascii"), b"", 200, b'{"value":[]}')


@pytest.mark.parametrize(
    "query",
    [
        "$filter=DateLastMaintained ge 2024-05-03T00:00:00Z and (OnHold eq 'No' or City ne 'O''Hara')",
        "$filter=startswith(CustomerNumber,'BAR') and length(CustomerName) gt 10",
        "$filter=BalanceDueInCustomerCurrency gt 1000.00&$select=CustomerNumber,CustomerOptionalFieldValues",
        "$count=true&$top=1&$filter=CustomerNumber gt '1100'",
    ],
)
def test_judge_and_fake_take_what_the_contract_has(client, query):
    """Documented filters and selections pass the judge, and the fake answers them."""
    assert 200 == checked(client.get(f"/AR/ARCustomers?{query}")).status_code


def test_the_judge_refuses_answers_that_do_not_fit():
    """The judge raises on unknown properties, wrong kinds and days that are no midnight."""
    context = "http://localhost/x/$metadata#ARCustomers"
    for row in ({"Nothing": 1}, {"OnHold": False}, {"InactiveDate": "2024-05-03T10:00:00Z"}, {"AmountPastDue": "1"}):
        body = json.dumps({"@odata.context": context, "value": [row]}).encode()
        with pytest.raises(AssertionError):
            oracle.check_exchange("GET", "/Sage300WebApi/v1.0/-/SAMLTD/AR/ARCustomers", b"", 200, body)
