"""The fake Sage 100 against the reconstructed contracts of its web service, its tables and the agent's contract."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import httpx
import pytest
import zeep

from mlconnector_sdk.testing import FakeClock, FakeSage100, Reply, Request
from mlconnector_sdk.testing.fakes._sage100_data import decimal_hours
from mlconnector_sdk.testing.fakes._sage100_messages import moment_of
from mlconnector_sdk.testing.fakes._sage100_tables import LAYOUTS
from tests.contracts import _sage100_oracle as oracle

LOGON = {"Username": "mcsync", "Password": "not-a-real-password"}
UDFS = {"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N"}}
CUSTOMER = {
    "AddressLine1": "12 Invented Way",
    "City": "Milwaukee",
    "State": "WI",
    "ZipCode": "53205-1204",
    "ContactCode": "A. BUYER",
    "CountryCode": "USA",
    "CreditHold": "N",
    "CreditLimit": "120000",
    "CurrentBalance": "3252.38",
    "CustomerType": "RTL",
    "DateEstablished": "20190101",
    "DateCreated": "20190101",
    "TimeCreated": "9.25056",
    "DateUpdated": "20250304",
    "TimeUpdated": "15.5",
    "UserUpdatedKey": "0000000003",
    "TelephoneNo": "(414) 555-0100",
    "UDF_DO_NOT_EMAIL": "N",
}
"""The customer of the samples."""

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


@pytest.fixture(name="erp")
def _erp():
    clock = FakeClock(datetime(2025, 3, 4, 21, 45, 37, tzinfo=UTC))
    with FakeSage100(
        40,
        contacts=30,
        vendors=10,
        orders=30,
        invoices=10,
        password=LOGON["Password"],
        udfs=UDFS,
        clock=clock,
    ) as fake:
        fake.keep_bodies = True
        fake.add_customer(
            "01-ABF",
            name="Invented Business Futures",
            email="ap@invented.example;owner@invented.example",
            **CUSTOMER,
        )
        yield fake


@pytest.fixture(name="http")
def _http():
    with httpx.Client(timeout=30) as client:
        yield client


def post(http, erp, operation, body):
    """The answer to a SOAP envelope."""
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{oracle.SPACE}/IMas/{operation}"'}
    return http.post(erp.soap_url, content=body, headers=headers)


def fetched_description(http, erp):
    """The description and the schemas it imports, as documents."""
    main = http.get(erp.wsdl_url).content
    places = [one.get("schemaLocation") for one in ET.fromstring(main).iter(f"{oracle.SCHEMA}import")]
    return [main, *(http.get(place).content for place in places)]


def test_the_description_has_the_contracts_operations_and_members(http, erp):
    """Every operation, parameter and member has its name, place and type; the schemas are documents of their own."""
    documents = fetched_description(http, erp)

    expected, found = oracle.contract(), oracle.read_wsdl(*documents)
    assert 3 == len(documents)
    assert expected == found
    for name, members in oracle.loaded("ebws_contracts.json")["contracts"].items():
        assert [member["name"] for member in members] == [member for member, _, _ in found["types"][name]]


def test_both_descriptions_mean_the_same_to_zeep(erp):
    """A client made from the fake's description has the signatures of one made from the reconstructed one."""
    expected, found = zeep.Client(oracle.wsdl_path()), zeep.Client(erp.wsdl_url)

    def signatures(client):
        (service,) = client.wsdl.services.values()
        (port,) = service.ports.values()
        return {
            name: re.sub(r"ns\d+:", "", f"{one.input.signature()} -> {one.output.signature()}")
            for name, one in port.binding._operations.items()
        }

    assert signatures(expected) == signatures(found)
    assert 18 == len(signatures(found))
    assert list(expected.wsdl.bindings) == list(found.wsdl.bindings)


def result_of(document):
    """The one element inside the response of an envelope."""
    return ET.fromstring(document)[0][0][0]


def shown(element):
    """Members with their values without white space, nil ones as `None`."""
    return {
        child.tag.rpartition("}")[2]: None
        if child.get(oracle.NIL) == "true"
        else "".join("".join(child.itertext()).split())
        for child in element
    }


def test_the_samples_request_gets_the_samples_answer(http, erp):
    """The sample's customer is shown with the sample's values, and all other members in the contract's order."""
    answer = post(http, erp, "GetCustomer", oracle.sample("get_customer_request.xml"))

    expected = shown(result_of(oracle.sample("get_customer_response.xml")))
    found = shown(result_of(answer.content))
    assert expected == {name: found[name] for name in expected}
    assert [name for name, _, _ in oracle.contract()["types"]["Customer"]] == list(found)


def test_the_samples_update_is_taken_where_a_site_takes_parts(http, erp):
    """Keys and one changed field are enough where partial updates are; elsewhere they are refused."""
    refused = post(http, erp, "UpdateCustomer", oracle.sample("update_customer_request.xml"))
    erp.setup.partial_updates = True
    taken = post(http, erp, "UpdateCustomer", oracle.sample("update_customer_request.xml"))

    row = erp.table("AR_Customer").rows["01", "ABF"]
    assert (500, 200) == (refused.status_code, taken.status_code)
    assert ("Y", "15.76028") == (row["UDF_DO_NOT_EMAIL"], row["TimeUpdated"])


def faults(erp, http):
    """What makes the service answer each sample fault, by the sample's name."""
    service = zeep.Client(erp.wsdl_url).service
    known = service.GetCustomer(LOGON, "ABC", "01", "ABF")

    def changed(**members):
        service.UpdateCustomer(LOGON, "ABC", {**zeep.helpers.serialize_object(known), **members})

    return {
        "fault_not_found.xml": lambda: service.GetCustomer(LOGON, "ABC", "01", "NOBODY"),
        "fault_already_exists.xml": lambda: service.CreateCustomer(LOGON, "ABC", known),
        "fault_field_not_on_file.xml": lambda: changed(ZipCode="00000"),
        "fault_field_too_long.xml": lambda: changed(DefaultPaymentType="CHEQUE"),
        "fault_logon.xml": lambda: service.GetCustomer({**LOGON, "Password": "wrong"}, "ABC", "01", "ABF"),
        "fault_unexpected.xml": lambda: service.GetCustomer(LOGON, "ABC", "01", "ABF"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "fault_not_found.xml",
        "fault_already_exists.xml",
        "fault_field_not_on_file.xml",
        "fault_field_too_long.xml",
        "fault_logon.xml",
        "fault_unexpected.xml",
    ],
)
def test_faults_are_the_samples(http, erp, name):
    """Each fault has the sample's code, text and detail, and comes with HTTP 500."""
    provoke = faults(erp, http)[name]
    if name == "fault_unexpected.xml":
        erp.soap_fault(times=1)

    with pytest.raises(zeep.exceptions.Fault):
        provoke()

    call = erp.log[-1]
    answered = call.response_body if name != "fault_unexpected.xml" else erp.faults[0].body
    assert 500 == call.status
    assert oracle.fault_parts(oracle.sample(name)) == oracle.fault_parts(answered)


def test_times_are_the_vectors():
    """Decimal hours are written and shown as the vectors have them."""
    vectors = oracle.loaded("samples/time_vectors.json")["vectors"]
    for vector in vectors:
        moment = moment_of("20250304", vector["in"])
        assert vector["iso"].rpartition(" ")[2] == f"{moment:%H:%M:%S}"
        if vector["in"] == f"{float(vector['in'] or 0):g}" and "clamp" not in vector["iso"]:
            assert abs(float(decimal_hours(moment)) - float(vector["in"])) < 0.0002


def test_tables_have_the_dictionarys_columns():
    """Names, types and lengths of columns and the keys are those of the data dictionary."""
    tables = oracle.loaded("tables_fields.json")["tables"]
    kinds = {"string": "text", "text": "text", "date": "date", "decimal": "number"}
    checked = 0
    for name, layout in LAYOUTS.items():
        if name not in tables:
            continue
        fields = {field["name"]: field for field in tables[name]["fields"]}
        assert tuple(tables[name]["primary_key"]) == layout.key
        for column in layout.columns.values():
            field = fields[column.name]
            assert kinds[field["type"]] == column.kind, column.name
            if column.kind != "date":
                assert (field.get("length", field.get("precision", 0)), field.get("scale", 0)) == (
                    column.width,
                    column.scale,
                )
        checked += 1
    assert 10 == checked
    assert {name for name in LAYOUTS if name not in tables} == {"AP_Vendor", "GL_Account", "SY_Company"}


def test_a_whole_conversation_over_soap_keeps_to_the_contract(http, erp):
    """Whatever a client asks of the web service, the oracle finds question and answer right."""
    service = zeep.Client(erp.wsdl_url).service
    with erp.recording() as calls:
        service.GetContractInformation()
        for number in range(1, 31):
            row = erp.table("AR_Customer").get(("00", f"{number:07d}"))
            if row is not None:
                service.GetCustomer(LOGON, "ABC", "00", row["CustomerNo"])
        for key in list(erp.table("AR_CustomerContact").rows)[:10]:
            service.GetCustomerContact(LOGON, "ABC", *key)
        for (number,) in list(erp.table("SO_SalesOrderHeader").rows)[:10]:
            service.GetSalesOrder(LOGON, "ABC", number)
        customer = service.GetCustomer(LOGON, "ABC", "01", "ABF")
        customer.EmailAddress = "new@invented.example"
        service.UpdateCustomer(LOGON, "ABC", customer)
        number = service.GetNextCustomerNo(LOGON, "ABC")
        key = {"ARDivisionNo": "01", "CustomerNo": number}
        needed = {"CustomerName": "Invented", "SalespersonNo": "0100", "PriceLevel": "1"}
        service.CreateCustomer(LOGON, "ABC", {**key, **needed})
        service.DeleteCustomer(LOGON, "ABC", *key.values())
        order = service.GetSalesOrderTemplate(LOGON, "ABC", "01", "ABF")
        order.SalesOrderNo = service.GetNextSalesOrderNo(LOGON, "ABC")
        service.PreviewSalesOrder(LOGON, "ABC", order)
        service.CreateSalesOrder(LOGON, "ABC", order)
        for refused in (
            lambda: service.GetDiagnosticInformation(),
            lambda: service.GetCustomer(LOGON, "ABC", "00", "NOBODY"),
            lambda: service.GetCustomer(LOGON, "XYZ", "01", "ABF"),
        ):
            with pytest.raises(zeep.exceptions.Fault):
                refused()

    assert 50 < len(calls)
    for call in calls:
        oracle.check_logged(call)


def test_a_whole_conversation_with_the_agent_keeps_to_the_contract(http, erp):
    """Every list, page, record, change and refusal of the mounted agent fits the agent's contract."""
    headers = {"Authorization": f"Bearer {erp.agent_token}"}
    root = f"{erp.agent_url}/companies/ABC"
    erp.lock_record("00-0000002")
    lists = ["customers", "customer-contacts", "vendors", "items", "sales-orders", "sales-order-history"]
    with erp.recording() as calls:
        http.get(f"{erp.agent_url}/health", headers=headers)
        http.get(f"{erp.agent_url}/companies", headers=headers)
        for name in [*lists, "invoice-history", "gl-accounts"]:
            lines = {"expand": "lines"} if "sales" in name or "invoice" in name else {}
            cursor = {}
            for _ in range(3):
                answer = http.get(f"{root}/{name}", params={"limit": 15, **lines, **cursor}, headers=headers)
                cursor = {"cursor": answer.json().get("nextCursor")}
                if answer.status_code != 200 or not cursor["cursor"]:
                    break
            http.get(f"{root}/{name}", params={"sinceDate": "20240101", "sinceTime": "9.5"}, headers=headers)
        http.get(f"{root}/customers/keys", headers=headers)
        http.get(f"{root}/customers/01/ABF", headers=headers)
        for key, value in (("01/ABF", "Y"), ("01/ABF", "X"), ("01/NOBODY", "Y"), ("00/0000002", "Y")):
            http.patch(
                f"{root}/customers/{key}",
                json={"set": {"UDF_DO_NOT_EMAIL": value}},
                headers={**headers, "Idempotency-Key": f"{key} {value}"},
            )
        http.get(f"{root}/customers", headers={"Authorization": "Bearer wrong"})
        http.get(f"{erp.agent_url}/companies/XYZ/customers", headers=headers)

    assert {200, 401, 404, 422, 423} == {call.status for call in calls}
    for call in calls:
        oracle.check_logged(call)


ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<{op} xmlns="http://mas90.sage.com/ws">{inner}</{op}></e:Body></e:Envelope>'
)
GIVEN = "<logon><Password>x</Password><Username>y</Username></logon><companyCode>ABC</companyCode>"


@pytest.mark.parametrize(
    ("operation", "inner"),
    [
        ("ListCustomers", GIVEN),
        ("GetCustomer", "<companyCode>ABC</companyCode>"),
        ("GetCustomer", GIVEN + "<customerNo>1</customerNo><arDivisionNo>00</arDivisionNo>"),
        ("GetCustomer", GIVEN.replace("ABC", "MAS_ABC")),
        ("GetCustomer", GIVEN.replace("<Password>x</Password><Username>y</Username>", "<Username>y</Username>")),
        ("GetCustomer", GIVEN + "<since>2025-01-01</since>"),
        ("UpdateCustomer", GIVEN + "<customer><City>X</City><ARDivisionNo>00</ARDivisionNo></customer>"),
        ("UpdateCustomer", GIVEN + "<customer><SalespersonNo2>1</SalespersonNo2></customer>"),
        ("UpdateCustomer", GIVEN + "<customer><CreditLimit>much</CreditLimit></customer>"),
    ],
)
def test_the_oracle_notices_breaches_of_soap(operation, inner):
    """What the description does not allow does not pass."""
    request = Request(
        method="POST",
        raw_path="/eBusinessWebServices/MasBasicWsdl.svc",
        headers={"content-type": "text/xml", "soapaction": f"{oracle.SPACE}/IMas/{operation}"},
        body=ENVELOPE.format(op=operation, inner=inner).encode(),
    )
    answer = ENVELOPE.format(op=f"{operation}Response", inner="").encode()

    with pytest.raises(AssertionError):
        oracle.check_soap_exchange(request, Reply(200, answer))


STAMPS = {"DateCreated": "20250304", "TimeCreated": "9.5", "DateUpdated": "", "TimeUpdated": ""}
PAGE = {
    "companyCode": "ABC",
    "table": "AR_Customer",
    "asOf": {"date": "20250304", "time": "15.5"},
    "records": [{**STAMPS, "_stamp": {"date": "20250304", "time": "9.5"}}],
    "nextCursor": None,
}


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("customers?sinceDate=2025-03-04", PAGE),
        ("customers?sinceDate=20250304&sinceTime=15:30", PAGE),
        ("customers?sinceDate=20250304&sinceTime=10", PAGE),
        ("customers?sinceTime=9.5", PAGE),
        ("customers?limit=5000", PAGE),
        ("customers?$filter=x", PAGE),
        ("customers?limit=1", {**PAGE, "records": PAGE["records"] * 2}),
        ("customers", {**PAGE, "companyCode": "XYZ"}),
        ("customers", {name: value for name, value in PAGE.items() if name != "nextCursor"}),
        ("customers", {**PAGE, "records": [{**PAGE["records"][0], "_stamp": {"date": "20250304", "time": ""}}]}),
        ("customers", {**PAGE, "records": [{**PAGE["records"][0], "CustomerNo": "ABF   "}]}),
        (
            "customers",
            {
                **PAGE,
                "records": [
                    {**STAMPS, "TimeCreated": "10.5", "_stamp": {"date": "20250304", "time": "10.5"}},
                    *PAGE["records"],
                ],
            },
        ),
    ],
)
def test_the_oracle_notices_breaches_of_the_agents_contract(path, page):
    """What the agent's contract does not allow does not pass."""
    sent = {"authorization": "Bearer token"}
    request = Request(method="GET", raw_path=f"/sage100/v1/companies/ABC/{path}", headers=sent)

    with pytest.raises(AssertionError):
        oracle.check_agent_exchange(request, Reply(200, httpx.Response(200, json=page).content))


def test_the_oracle_passes_what_is_right():
    """The samples of the agent's contract pass, so that breaches fail for their own reasons."""
    sent = {"authorization": "Bearer token", "idempotency-key": "1"}
    listed = Request(method="GET", raw_path="/sage100/v1/companies/ABC/customers?limit=2", headers=sent)
    marked = Request(
        method="PATCH",
        raw_path="/sage100/v1/companies/ABC/customers/01/ABF",
        headers=sent,
        body=oracle.sample("agent_patch_customer_request.json"),
    )

    oracle.check_agent_exchange(listed, Reply(200, httpx.Response(200, json=PAGE).content))
    oracle.check_agent_exchange(marked, Reply(200, oracle.sample("agent_patch_customer_response.json")))
    locked = Reply(423, oracle.sample("agent_error_locked_423.json"), {"Retry-After": "15"})
    oracle.check_agent_exchange(marked, locked)
