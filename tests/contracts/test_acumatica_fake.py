"""The fake Acumatica against the vendor's contracts and recorded shapes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from mlconnector_sdk.testing.fakes._acumatica_tables import ENTITIES, SHAPES, Shape, release
from tests.contracts import _acumatica_oracle as oracle

VERSIONS = ("20.200.001", "22.200.001", "23.200.001", "24.200.001")
LETTERS = {"S": "StringValue", "B": "BooleanValue", "D": "DecimalValue", "T": "DateTimeValue", "I": "IntValue"}
LETTERS |= {"H": "ShortValue", "G": "GuidValue"}
FULL = {
    "Customer": "MainContact,MainContact/Address,PrimaryContact",
    "Contact": "Address",
    "SalesInvoice": "Details,TaxDetails,FreightDetails,BillingSettings,"
    "BillingSettings/BillToContact,BillingSettings/BillToAddress",
    "Invoice": "Details,BillToContact",
}

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


@pytest.fixture(scope="module")
def erp():
    """A fake with some made-up records."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    with FakeAcumatica(customers=60, contacts=90, vendors=8, invoices=60, clock=lambda: now) as fake:
        yield fake


@pytest.fixture(scope="module")
def client(erp):
    """A client with a cookie session."""
    with httpx.Client(base_url=erp.base_url) as http:
        login = {"name": "sync", "password": "correct horse", "tenant": "Acme"}
        assert 204 == http.post("/entity/auth/login", json=login).status_code
        yield http


def fixture(name: str) -> Any:
    """A sample of the vendor specification."""
    folder = oracle.spec_folder()
    assert folder is not None
    text = Path(folder, "fixtures", name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else text


def kind_at(values: Any) -> Any:
    """The shape of an answer: keys and kinds of values, with empty values fitting anything."""
    if isinstance(values, list):
        return [kind_at(values[0])] if values else []
    if not isinstance(values, dict):
        return "null" if values is None else "number" if type(values) in {int, float} else type(values).__name__
    return {name: kind_at(value) for name, value in values.items()}


def misfits(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where two shapes differ; an empty value `{}` or an empty list stands for any."""
    if expected in ({}, []) or found in ({}, []):
        return []
    if isinstance(expected, list) and isinstance(found, list):
        return misfits(expected[0], found[0], f"{path}[]")
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return [] if expected == found else [f"{path}: {expected} / {found}"]
    both = expected.keys() & found.keys()
    apart = [f"{path}/{name}" for name in sorted((expected.keys() | found.keys()) - both - {"_links"})]
    return apart + [text for name in sorted(both) for text in misfits(expected[name], found[name], f"{path}/{name}")]


def ask(client: httpx.Client, version: str, entity: str, **query: str) -> httpx.Response:
    """A list or a record, with query options without their `$`."""
    params = {f"${name}": text for name, text in query.items()}
    return client.get(f"/entity/Default/{version}/{entity}", params=params)


def checked(response: httpx.Response, version: str) -> httpx.Response:
    """The same response, judged by the vendor contract."""
    request = response.request
    oracle.check_exchange(
        request.method, request.url.raw_path.decode(), request.content, response.status_code, response.content, version
    )
    return response


def all_shapes() -> list[tuple[str, Shape]]:
    """Every table with the vendor's name of its type."""
    found: dict[str, tuple[str, Shape]] = {}

    def walk(vendor_type: str, shape: Shape) -> None:
        found[f"{vendor_type} as {shape.name}"] = (vendor_type, shape)
        for part in shape.parts.values():
            for version in VERSIONS:
                if part.since <= release(version):
                    kind = oracle.fields_of(vendor_type, version)[part.name].removesuffix("[]")
                    walk(kind, SHAPES[part.shape])

    if oracle.spec_folder() is not None:
        for name, entity in ENTITIES.items():
            walk(name, entity.shape)
    return list(found.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_table_names_only_fields_of_that_version_with_their_types(version):
    """No field, type or part of the fake's tables is missing from the vendor's contract of the version."""
    year = release(version)
    wrong = []
    for vendor_type, shape in all_shapes():
        known = oracle.fields_of(vendor_type, version)
        wrong += [
            f"{vendor_type}.{field.name} is {known.get(field.name)}"
            for field in shape.fields.values()
            if known and field.since <= year and known.get(field.name) != LETTERS[field.kind]
        ]
        for part in shape.parts.values():
            kind = known.get(part.name)
            if known and part.since <= year and (kind is None or kind.endswith("[]") != part.many):
                wrong.append(f"{vendor_type}.{part.name} is {kind}")
    assert [] == wrong


@pytest.mark.parametrize("entity", ["Customer", "Contact", "SalesInvoice", "Invoice"])
def test_main_entities_start_in_the_right_version(entity):
    """Every scalar field of the main entities appears in exactly the versions the contract says."""
    shape = ENTITIES[entity].shape
    wrong = []
    for version in VERSIONS:
        known = {name for name, kind in oracle.fields_of(entity, version).items() if oracle.is_scalar(kind)}
        ours = {name for name, field in shape.fields.items() if field.since <= release(version)}
        # Two names that were fields in 22.200.001 only are treated as absent, as the vendor did afterwards.
        wrong += sorted((known ^ ours) - {"OverrideSalesTerritory", "SalesTerritoryID"})
    assert [] == wrong


@pytest.mark.parametrize("entity", [name for name in ENTITIES if ENTITIES[name].views])
def test_screen_fields_belong_to_views_of_the_form(entity):
    """Screen fields reachable by `cf.` and `$custom` lie in views the entity maps to."""
    views = {path.partition(".")[0] for path in ENTITIES[entity].views}
    assert views <= oracle.screen_views(entity)


@pytest.mark.parametrize(
    ("name", "version", "entity", "expand"),
    [
        ("customer_list_20.200.001_no_expand.json", "20.200.001", "Customer", ""),
        ("customer_list_24.200.001_expanded.json", "24.200.001", "Customer", FULL["Customer"]),
        ("contact_list_24.200.001_expanded.json", "24.200.001", "Contact", FULL["Contact"]),
        ("sales_invoice_list_24.200.001_expanded.json", "24.200.001", "SalesInvoice", FULL["SalesInvoice"]),
        ("invoice_list_24.200.001_expanded.json", "24.200.001", "Invoice", FULL["Invoice"]),
    ],
)
def test_lists_have_the_keys_and_kinds_of_the_sample(client, name, version, entity, expand):
    """A list answer has the keys and the kinds of values of the vendor-shaped sample, row by row."""
    answer = checked(ask(client, version, entity, expand=expand), version).json()
    sample = kind_at(fixture(name))[0]
    assert answer
    assert [] == sorted({text for row in answer for text in misfits(sample, kind_at(row))})


def test_a_single_invoice_has_the_keys_and_kinds_of_the_sample(client, erp):
    """A record by key looks like the sample, with its links."""
    kind, number = next(iter(erp.sales_invoices))
    path = f"/entity/Default/24.200.001/SalesInvoice/{kind}/{number}"
    answer = checked(client.get(path, params={"$expand": FULL["SalesInvoice"]}), "24.200.001").json()
    assert [] == misfits(kind_at(fixture("sales_invoice_by_key_24.200.001.json")), kind_at(answer))
    assert answer["_links"]["self"].startswith("/Acme/entity/Default/24.200.001/SalesInvoice/")


def test_a_selected_item_has_the_keys_and_kinds_of_the_sample(client):
    """`$select` cuts the answer to the selected fields and the system keys."""
    sample = fixture("stock_item_list_24.200.001_select.json")[0]
    fields = ",".join(name for name in sample if name not in oracle.SYSTEM_KEYS)
    answer = checked(ask(client, "24.200.001", "StockItem", select=fields), "24.200.001").json()
    assert sample.keys() == answer[0].keys()
    assert [] == misfits(kind_at(sample), kind_at(answer[0]))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("entity", list(ENTITIES))
def test_every_answer_fits_the_contract(client, version, entity):
    """Every entity in every version, all parts expanded, answers only what the contract of that version allows."""
    parts = [name for name, part in ENTITIES[entity].shape.parts.items() if part.since <= release(version)]
    assert 200 == checked(ask(client, version, entity, expand=",".join(parts), top="20"), version).status_code


@pytest.mark.parametrize(
    ("sample", "entity", "query"),
    [
        ("error_500_unknown_field.json", "Customer", {"select": "NoSuchField"}),
        ("error_500_no_entity.json", "Customer/NOBODY", {}),
    ],
)
def test_refused_requests_say_so_as_the_sample_does(client, sample, entity, query):
    """Errors on data calls carry the text, the exception type and the keys of the sample."""
    answer = ask(client, "24.200.001", entity, **query)
    expected = fixture(sample)
    assert 500 == answer.status_code
    assert expected.keys() == answer.json().keys()
    same = ("message", "exceptionMessage", "exceptionType")
    assert {name: expected[name] for name in same} == {name: answer.json()[name] for name in same}


def test_the_optimizer_error_has_the_form_of_the_sample(client, erp):
    """A list that touches a blocked field fails with the exception type and the line form of the sample."""
    expected = fixture("error_500_cannot_optimize.json")
    erp.cannot_optimize = {"Customer": ["TaxZone"]}
    answer = ask(client, "24.200.001", "Customer", select="CustomerID,TaxZone").json()
    erp.cannot_optimize = {}
    assert expected["exceptionType"] == answer["exceptionType"]
    line = expected["exceptionMessage"].replace("SomeField", "TaxZone").replace("SomeView", "Filter")
    assert line == answer["exceptionMessage"]


@pytest.mark.parametrize(
    ("sample", "login"),
    [
        ("error_500_invalid_credentials.json", {"name": "sync", "password": "wrong", "tenant": "Acme"}),
        ("error_500_undefined_company.json", {"name": "sync", "password": "correct horse", "tenant": "Nobody"}),
    ],
)
def test_refused_log_ins_say_so_as_the_sample_does(sample, login):
    """A failed log-in is a 500 with the text and the exception type of the sample."""
    with FakeAcumatica() as fake:
        answer = httpx.post(f"{fake.base_url}/entity/auth/login", json=login)
    expected = fixture(sample)
    assert 500 == answer.status_code
    assert expected.keys() == answer.json().keys()
    same = ("exceptionMessage", "exceptionType")
    assert [expected[name] for name in same] == [answer.json()[name] for name in same]


@pytest.mark.parametrize(
    ("shape", "sample", "status"),
    [
        ("json", "error_500_api_login_limit.json", 500),
        ("html", "error_api_login_limit_page.html", 200),
        ("iis", "error_429_iis_plain.txt", 429),
    ],
)
def test_the_seat_limit_has_its_three_shapes(shape, sample, status):
    """The seat limit looks like each of the three samples."""
    with FakeAcumatica() as fake:
        fake.seat_limit(shape)
        login = {"name": "sync", "password": "correct horse", "tenant": "Acme"}
        answer = httpx.post(f"{fake.base_url}/entity/auth/login", json=login)
    assert status == answer.status_code
    expected = fixture(sample)
    if shape == "json":
        assert expected["exceptionMessage"] == answer.json()["exceptionMessage"]
    else:
        wording = "API Login Limit" if shape == "html" else expected.strip()
        assert wording in expected
        assert wording in answer.text


def test_an_empty_body_is_refused_as_in_the_sample(client):
    """A `PUT` without a body gives the recorded 400."""
    answer = client.put("/entity/Default/24.200.001/Contact", content=b"")
    assert (400, fixture("error_400_empty_body.json")) == (answer.status_code, answer.json())


def test_a_refused_write_has_the_form_of_the_sample(client, erp):
    """A 422 carries an error at the top and one beside the refused value."""
    number = next(iter(erp.contacts))
    body = {"ContactID": {"value": number}, "LastName": {"value": "Hara"}, "BusinessAccount": {"value": "C999999"}}
    answer = checked(client.put("/entity/Default/24.200.001/Contact", json=body), "24.200.001")
    expected = fixture("error_422_put_contact.json")
    assert 422 == answer.status_code
    assert expected["error"] == answer.json()["error"]
    assert expected["BusinessAccount"]["error"] == answer.json()["BusinessAccount"]["error"]
    assert [] == misfits(kind_at(expected), kind_at(answer.json()))


def test_the_listing_has_the_form_of_both_samples(erp, client):
    """The endpoint listing has the wrapper of new builds and, on demand, the array of old ones."""
    wrapper = fixture("entity_root_wrapper.json")
    assert [] == misfits(kind_at(wrapper), kind_at(client.get("/entity").json()))
    with FakeAcumatica(bare_listing=True, versions=("20.200.001",)) as old:
        rows = httpx.get(f"{old.base_url}/entity").json()
    assert [] == misfits(kind_at(fixture("entity_root_bare_array.json")), kind_at(rows))


def test_tokens_have_the_form_of_the_samples(erp):
    """Token answers and token errors have the keys of the samples."""
    form = {
        "grant_type": "password",
        "client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Acme",
        "client_secret": "s3cret",
        "username": "sync",
        "password": "correct horse",
        "scope": "api offline_access",
    }
    address = f"{erp.base_url}/identity/connect/token"
    good = checked(httpx.post(address, data=form), "24.200.001")
    assert kind_at(fixture("token_password_response.json")) == kind_at(good.json())
    bad = httpx.post(address, data={**form, "grant_type": "refresh_token", "refresh_token": "used"})
    assert (400, fixture("token_error_invalid_grant.json")) == (bad.status_code, bad.json())


@pytest.mark.parametrize(
    "query",
    [
        "$orderby=CustomerID",
        "$filter=LastModifiedDateTime gt '2024-01-01'",
        "$filter=LastModifiedDateTime gt datetimeoffset'2024-01-01T00:00:00'",
        "$filter=Nothing eq 'x'",
        "$filter=contains(CustomerName,'x')",
        "$filter=Contacts/ContactID eq 5",
        "$filter=CreditLimit gt 0",
        "$filter=(Status eq 'Active'",
        "$select=MainContact/Email",
        "$expand=MainContact/Address",
        "$custom=Nowhere.UsrX",
        "$top=-1",
    ],
)
def test_the_judge_refuses_what_the_contract_does_not_have(query):
    """The judge raises on parameters, names, literals and paths that the contract does not have."""
    with pytest.raises(AssertionError):
        oracle.check_exchange("GET", f"/Acme/entity/Default/24.200.001/Customer?{query}", b"", 200, b"[]", "24.200.001")


@pytest.mark.parametrize(
    "query",
    [
        "$filter=LastModifiedDateTime gt datetimeoffset'2024-01-01T00:00:00.5Z' and Status eq 'On Hold'",
        "$filter=not (CustomerName eq 'O''Hara' or substringof('x',CustomerName))",
        "$filter=CreditLimit ge 10.5M",
        "$filter=cf.DateTime(f='CurrentCustomer.LastModifiedDateTime') gt datetimeoffset'2024-01-01T00:00:00Z'",
        "$select=CustomerID,MainContact/Email&$expand=MainContact&$top=5&$skip=0",
        "$custom=CurrentCustomer.UsrNoMail",
    ],
)
def test_the_judge_lets_the_contract_pass(query):
    """The judge takes documented filters, selections and custom fields."""
    oracle.check_exchange("GET", f"/Acme/entity/Default/24.200.001/Customer?{query}", b"", 200, b"[]", "24.200.001")


def test_the_judge_refuses_answers_that_do_not_fit():
    """The judge raises on unwrapped values, wrong kinds and entities nobody expanded."""
    row = {"id": "1", "rowNumber": 1, "custom": {}}
    for wrong in ({"CustomerID": "C1"}, {"CustomerID": {"value": 1}}, {"MainContact": row}, {"Nothing": {}}):
        body = json.dumps([{**row, **wrong}]).encode()
        with pytest.raises(AssertionError):
            oracle.check_exchange("GET", "/Acme/entity/Default/24.200.001/Customer", b"", 200, body, "24.200.001")


def test_numbers_keep_their_scale(erp, client):
    """A decimal goes out with the digits it was stored with."""
    erp.put("StockItem", {"InventoryID": "SCALED", "DefaultPrice": Decimal("280.000000")})
    text = client.get("/entity/Default/24.200.001/StockItem/SCALED").text
    erp.delete("StockItem", "SCALED")
    assert '"DefaultPrice":{"value":280.000000}' in text
